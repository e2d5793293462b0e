{#-
    Return an input of the user: the relation that the variable twilio_usage_inputs names for it, with
    its schema, else the package's own seed.
-#}
{% macro input(name) %}
    {%- set relation = var('twilio_usage_inputs').get(name) -%}
    {%- if relation -%}{{ relation }}{%- else -%}{{ ref('twilio_usage', name) }}{%- endif -%}
{% endmacro %}
