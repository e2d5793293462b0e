{#-
    Gather statistics of a table that was built. PostgreSQL does it by itself only minutes later, and plans
    queries of the next models badly until then. Other warehouses have theirs at once.
-#}
{% macro analyze() %}{{ adapter.dispatch('analyze', 'twilio_usage')() }}{% endmacro %}

{% macro default__analyze() %}{% endmacro %}

{% macro postgres__analyze() %}{{ 'analyze ' ~ this if config.get('materialized') != 'view' }}{% endmacro %}

{#- Redshift would take PostgreSQL's. -#}
{% macro redshift__analyze() %}{% endmacro %}
