-- What a budget of everything has cost is Twilio's total of the loaded days of its period.
select
    budgets.budget_id,
    budgets.period_start,
    budgets.currency,
    budgets.actual,
    sum(totals.total) as total
from {{ ref('twilio_usage', 'budget_status') }} as budgets
left join {{ ref('twilio_usage', 'reconciliation') }} as totals
    on budgets.currency = totals.price_unit
    and totals.start_date between budgets.period_start and budgets.period_end
where budgets.scope = 'all'
group by budgets.budget_id, budgets.period_start, budgets.currency, budgets.actual
having budgets.actual <> coalesce(sum(totals.total), 0)
