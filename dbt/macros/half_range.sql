{#-
    Return half of the 80 % range of what is to come: 1.28 standard deviations of the misses of past
    forecasts. The misses of a week and of four show how much of the variance grows with the time,
    as independent days do, and how much with its square, as a level that changes does.
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
            else 1.28 * sqrt(
                greatest({{ of_week }} - {{ level }}, 0) * {{ weeks }}
                + {{ level }} * {{ weeks }} * {{ weeks }} * (1 + 0.67 * {{ months_ahead }})
            )
        end,
        abs({{ to_come }}) / 2,
        0
    )
{%- endmacro %}
