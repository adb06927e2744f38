-- QuickBooks: invoices.  The page is asked for inside of the query's text; an answer without invoices has no list; every refresh of the token
-- brings a new refresh token, which databite stores under the same name before it uses it.
SELECT databite.set_token('quickbooks_secret', 'quickbooks-secret');
SELECT databite.set_token('quickbooks_refresh', 'quickbooks-refresh');

SELECT databite.schedule_job($json$
{
    "id": "quickbooks",
    "source": {
        "type": "api",
        "url": "https://quickbooks.api.intuit.com/v3/company/123146/query",
        "headers": {"Accept": "application/json"},
        "query": {
            "query": "SELECT * FROM Invoice WHERE Metadata.LastUpdatedTime >= '{{ window.from }}' AND Metadata.LastUpdatedTime < '{{ window.to }}' ORDERBY Metadata.LastUpdatedTime STARTPOSITION {{ page.offset + 1 }} MAXRESULTS {{ page.limit }}"
        },
        "auth": {
            "type": "oauth2",
            "grant": "refresh_token",
            "tokenUrl": "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
            "clientId": "quickbooks-client",
            "clientSecret": "{{ tokens.quickbooks_secret }}",
            "clientAuth": "basic",
            "refreshToken": "{{ tokens.quickbooks_refresh }}"
        },
        "dataPath": "QueryResponse.Invoice",
        "pagination": {"type": "offset", "in": "template", "limit": 1000},
        "incremental": {"cursorField": "MetaData.LastUpdatedTime", "lag": "30s"},
        "errorWhen": [{"when": "{{ response.QueryResponse.maxResults == null }}", "action": "empty"}]
    },
    "transform": {
        "id": "{{ item.Id }}",
        "number": "{{ item.DocNumber }}",
        "total": "{{ item.TotalAmt }}",
        "balance": "{{ item.Balance }}",
        "updated_at": "{{ item.MetaData.LastUpdatedTime }}"
    },
    "destination": {
        "type": "database",
        "table": "quickbooks_invoices",
        "schema": {"id": "bigint", "number": "text", "total": "numeric(14,2)", "balance": "numeric(14,2)", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
