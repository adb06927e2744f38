-- Shopify: orders.  The next page's address, in the Link header, has the limit and a cursor only; prices are texts; each answer says how
-- full the bucket of calls is ("32/40").
SELECT databite.set_token('shopify', 'shopify-token');

SELECT databite.schedule_job($json$
{
    "id": "shopify",
    "source": {
        "type": "api",
        "url": "https://example.myshopify.com/admin/api/2025-01/orders.json",
        "query": {"limit": "250", "status": "any", "order": "updated_at asc", "updated_at_min": "{{ cursor }}"},
        "auth": {"type": "api_key", "in": "header", "name": "X-Shopify-Access-Token", "value": "{{ tokens.shopify }}"},
        "dataPath": "orders",
        "pagination": {"type": "link"},
        "incremental": {"cursorField": "updated_at"},
        "rateLimit": {"ratioHeader": "x-shopify-shop-api-call-limit"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "name": "{{ item.name }}",
        "total": "{{ item.total_price }}",
        "currency": "{{ item.currency }}",
        "status": "{{ item.financial_status }}",
        "cancelled_at": "{{ item.cancelled_at }}",
        "updated_at": "{{ item.updated_at }}"
    },
    "destination": {
        "type": "database",
        "table": "shopify_orders",
        "schema": {"id": "bigint", "name": "text", "total": "numeric(12,2)", "currency": "text", "status": "text", "cancelled_at": "timestamptz", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
