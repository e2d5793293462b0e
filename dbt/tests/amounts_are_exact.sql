-- exact() must neither round nor be floating point. Snowflake's `numeric` makes 1 of 1.234567.
select *
from (
    select
        {{ exact("'1.234567'") }} as price,
        {{ exact("'0.000000000001'") }} as smallest,
        {{ exact("'0.1'") }} + {{ exact("'0.2'") }} as total,
        {{ exact("'0.3'") }} as expected
) as amounts
where price <> 1.234567 or smallest <= 0 or total <> expected
