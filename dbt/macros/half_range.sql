{#-
    Return half of the 80 % range of what is to come, from the mean squares of what past forecasts missed.
    Those of a week and of four show how much of the variance grows with the time, as independent days
    do, and how much with its square, as a level that changes does. Half a year has few independent
    months, and the next one differs from them: 1.8 standard deviations covered 80 % in the benchmark,
    where a normal distribution needs 1.28. `longest` is the number of weeks to come at most, where a
    week of costs and credits is almost zero.
-#}
{% macro half_range(to_come, week, longest, months_ahead, of_week, of_4_weeks) -%}
    {#- Null is tested for, because greatest() and least() pass over it in some warehouses only. -#}
    {%- set weeks -%}
        case
            when coalesce({{ week }}, 0) = 0 then 0
            else least(abs({{ to_come }} / nullif({{ week }}, 0)), {{ longest }})
        end
    {%- endset -%}
    {%- set level -%}
        greatest(coalesce({{ of_4_weeks }}, 16 * {{ of_week }}) - 4 * {{ of_week }}, 0) / 12
    {%- endset -%}
    case
        when {{ to_come }} is null or {{ months_ahead }} < 0 then 0
        when {{ of_week }} is null then abs({{ to_come }}) / 2
        else 1.8 * sqrt(
            greatest({{ of_week }} - {{ level }}, 0) * {{ weeks }}
            + {{ level }} * {{ weeks }} * {{ weeks }} * (1 + 0.67 * {{ months_ahead }})
        )
    end
{%- endmacro %}

{#- Return the lower end of the range. What is spent is spent, but credits may still come. -#}
{% macro low_end(actual, forecast, half_range) -%}
    case
        when {{ forecast }} > {{ actual }}
            then greatest({{ forecast }} - {{ twilio_usage.rounded(half_range) }}, {{ actual }})
        else {{ forecast }} - {{ twilio_usage.rounded(half_range) }}
    end
{%- endmacro %}
