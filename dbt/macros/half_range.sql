{#-
    Return half of the 80 % range of what is to come, from the mean squares of what past forecasts missed.
    Those of a week and of four show how much of the variance grows with the time, as independent days
    do, and how much with its square, as a level that changes does. Half a year has few independent
    months, and the next one differs from them: 1.8 standard deviations covered 80 % in the benchmark,
    where a normal distribution needs 1.28.
-#}
{% macro half_range(to_come, week, months_ahead, of_week, of_4_weeks) -%}
    {%- set weeks -%}
        abs({{ to_come }} / nullif({{ week }}, 0))
    {%- endset -%}
    {%- set level -%}
        greatest(coalesce({{ of_4_weeks }}, 16 * {{ of_week }}) - 4 * {{ of_week }}, 0) / 12
    {%- endset -%}
    coalesce(
        case
            when {{ months_ahead }} < 0 then 0
            else 1.8 * sqrt(
                greatest({{ of_week }} - {{ level }}, 0) * {{ weeks }}
                + {{ level }} * {{ weeks }} * {{ weeks }} * (1 + 0.67 * {{ months_ahead }})
            )
        end,
        abs({{ to_come }}) / 2,
        0
    )
{%- endmacro %}
