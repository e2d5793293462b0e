{#-
    Return the first month that may still change: the one after those that end up to the variable
    twilio_usage_closed_through. Without it, none is closed.
-#}
{% macro first_open_month() %}
    {%- set last_day = var('twilio_usage_closed_through') | string | trim -%}
    {%- set is_date = modules.re.match('[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$', last_day) -%}
    {%- if is_date -%}
        {%- set year, month, day = last_day.split('-') | map('int') -%}
        {%- set next_month = modules.datetime.date(year + month // 12, month % 12 + 1, 1) -%}
        {%- set is_date = day <= (next_month - modules.datetime.timedelta(days=1)).day -%}
    {%- endif -%}
    {%- if last_day and not is_date -%}
        {{ exceptions.raise_compiler_error(
            "twilio_usage_closed_through: '" ~ last_day ~ "' is not a valid date; use YYYY-MM-DD"
        ) }}
    {%- endif -%}
    {%- if last_day -%}
        {{ twilio_usage.month_of(twilio_usage.day_after("cast('" ~ last_day ~ "' as date)")) }}
    {%- else -%}
        cast('1000-01-01' as date)
    {%- endif -%}
{% endmacro %}
