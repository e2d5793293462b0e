{#- Return the first day of the month, quarter or year (a column) in which a date is. -#}
{% macro period_of(date, period) -%}
    cast(
        case {{ period }}
            when 'year' then {{ dbt.date_trunc('year', date) }}
            when 'quarter' then {{ dbt.date_trunc('quarter', date) }}
            else {{ dbt.date_trunc('month', date) }}
        end as date
    )
{%- endmacro %}

{#- Return the first day after that month, quarter or year. -#}
{% macro end_of_period(first_day, period) -%}
    cast(
        case {{ period }}
            when 'year' then {{ dbt.dateadd('month', 12, first_day) }}
            when 'quarter' then {{ dbt.dateadd('month', 3, first_day) }}
            else {{ dbt.dateadd('month', 1, first_day) }}
        end as date
    )
{%- endmacro %}
