-- HubSpot: contacts by search.  It is a POST that only reads; no search goes beyond 10,000 results, so it begins anew behind the last
-- id; the index is up to an hour late; tokens live for half an hour.
SELECT databite.set_token('hubspot_secret', 'hubspot-secret');
SELECT databite.set_token('hubspot_refresh', 'hubspot-refresh');

SELECT databite.schedule_job($json$
{
    "id": "hubspot",
    "source": {
        "type": "api",
        "method": "POST",
        "url": "https://api.hubapi.com/crm/v3/objects/contacts/search",
        "body": {
            "filterGroups": [{"filters": [
                {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "{{ cursor }}"},
                {"propertyName": "hs_object_id", "operator": "GT", "value": "{{ page.after ?? 0 }}"}
            ]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["email", "lastmodifieddate"]
        },
        "auth": {
            "type": "oauth2",
            "grant": "refresh_token",
            "tokenUrl": "https://api.hubapi.com/oauth/v1/token",
            "clientId": "hubspot-client",
            "clientSecret": "{{ tokens.hubspot_secret }}",
            "refreshToken": "{{ tokens.hubspot_refresh }}"
        },
        "dataPath": "results",
        "pagination": {
            "type": "cursor",
            "cursorPath": "paging.next.after",
            "cursorParam": "after",
            "in": "body",
            "limit": 100,
            "limitParam": "limit",
            "restart": {"items": 10000, "field": "id"}
        },
        "incremental": {"cursorField": "properties.lastmodifieddate", "format": "epoch_ms", "lookback": "1h"},
        "rateLimit": {"requestsPerSecond": 5, "burstLimit": 5},
        "retry": {"idempotent": true},
        "onStatus": {"401": "refresh_token", "530": "fail"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "email": "{{ item.properties.email }}",
        "modified_at": "{{ item.properties.lastmodifieddate }}"
    },
    "destination": {
        "type": "database",
        "table": "hubspot_contacts",
        "schema": {"id": "bigint", "email": "text", "modified_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
