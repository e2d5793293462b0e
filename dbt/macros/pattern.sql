{#-
    Return a pattern of LIKE for a text in which * stands for any characters. The text to compare has to
    go through plain_text(), so that its _ and % are no wildcards: not every warehouse can escape them.
-#}
{% macro pattern(text) %}replace({{ twilio_usage.plain_text(text) }}, '*', '%'){% endmacro %}

{% macro plain_text(text) %}replace(replace({{ text }}, '%', '~'), '_', '~~'){% endmacro %}
