{#- Return a name without what differs between its spellings: Phone Numbers is phonenumbers. -#}
{% macro letters(name) %}replace(replace(lower(trim({{ name }})), ' ', ''), '-', ''){% endmacro %}
