-- Stripe: what happened to customers, deletions too.  Stripe keeps events for 30 days, so this has to run at least that often.
-- The list is newest first: rows are events, and the view shows what a customer is now.
SELECT databite.set_token('stripe', 'stripe-key');

CREATE TABLE stripe_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    customer text NOT NULL,
    email text,
    created_at timestamptz NOT NULL
);
CREATE VIEW stripe_customers AS
SELECT customer, email, created_at AS changed_at
FROM (SELECT DISTINCT ON (customer) * FROM stripe_events ORDER BY customer, created_at DESC, id DESC) AS latest
WHERE type <> 'customer.deleted';

SELECT databite.schedule_job($json$
{
    "id": "stripe_ev",
    "source": {
        "type": "api",
        "url": "https://api.stripe.com/v1/events",
        "query": {
            "types[]": ["customer.created", "customer.updated", "customer.deleted"],
            "created[gte]": "{{ window.from }}",
            "created[lte]": "{{ window.to }}"
        },
        "auth": {"type": "bearer", "token": "{{ tokens.stripe }}"},
        "dataPath": "data",
        "pagination": {"type": "keyset", "field": "id", "cursorParam": "starting_after", "hasMorePath": "has_more", "limit": 100, "limitParam": "limit"},
        "incremental": {"cursorField": "created", "format": "epoch", "lag": "1m"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "type": "{{ item.type }}",
        "customer": "{{ item.data.object.id }}",
        "email": "{{ item.data.object.email }}",
        "created_at": "{{ item.created | from_unix }}"
    },
    "destination": {"type": "database", "table": "stripe_events", "key": "id"}
}
$json$);
