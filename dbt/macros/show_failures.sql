{#- Print the rows that the tests of this package have found, because dbt says only how many. -#}
{% macro show_failures(results) %}
    {%- for result in results if execute and result.status in ['fail', 'warn'] -%}
        {%- set test = result.node -%}
        {%- if test.resource_type == 'test' and test.package_name == 'twilio_usage' -%}
            {%- for row in run_query('select * from (' ~ test.compiled_code ~ '\n) as found limit 10') -%}
                {%- set cells = [] -%}
                {%- for name, value in row.dict().items() if value is not none -%}
                    {%- do cells.append(name | lower ~ ' ' ~ value) -%}
                {%- endfor -%}
                {%- do print(test.name ~ ': ' ~ (cells | join(', '))) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
