-- Stripe: charges, by the time of their creation.  The list is newest first, and the last charge's id is the next cursor.
-- It does not tell what changed later: see stripe_ev.sql.
SELECT databite.set_token('stripe', 'stripe-key');

SELECT databite.schedule_job($json$
{
    "id": "stripe",
    "source": {
        "type": "api",
        "url": "https://api.stripe.com/v1/charges",
        "query": {"created[gte]": "{{ window.from }}", "created[lte]": "{{ window.to }}"},
        "auth": {"type": "bearer", "token": "{{ tokens.stripe }}"},
        "dataPath": "data",
        "pagination": {"type": "keyset", "field": "id", "cursorParam": "starting_after", "hasMorePath": "has_more", "limit": 100, "limitParam": "limit"},
        "incremental": {"cursorField": "created", "format": "epoch", "lag": "1m"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "amount": "{{ item.amount / 100 }}",
        "currency": "{{ item.currency | upper }}",
        "customer": "{{ item.customer }}",
        "order_number": "{{ item.metadata.order }}",
        "created_at": "{{ item.created | from_unix }}"
    },
    "destination": {
        "type": "database",
        "table": "stripe_charges",
        "schema": {"id": "text", "amount": "numeric(12,2)", "currency": "text", "customer": "text", "order_number": "text", "created_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
