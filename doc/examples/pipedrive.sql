-- Pipedrive: deals that changed.  The token is a parameter of the address, which errors and history show without its query; each item is
-- wrapped in another; no items is null.
SELECT databite.set_token('pipedrive', 'pipedrive-token');

SELECT databite.schedule_job($json$
{
    "id": "pipedrive",
    "source": {
        "type": "api",
        "url": "https://api.pipedrive.com/v1/recents",
        "query": {"items": "deal", "since_timestamp": "{{ cursor }}"},
        "auth": {"type": "api_key", "in": "query", "name": "api_token", "value": "{{ tokens.pipedrive }}"},
        "dataPath": "data[*].data",
        "pagination": {"type": "cursor", "cursorPath": "additional_data.pagination.next_start", "cursorParam": "start", "limit": 50, "limitParam": "limit"},
        "incremental": {"cursorField": "update_time", "format": "%Y-%m-%d %H:%M:%S"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "title": "{{ item.title }}",
        "value": "{{ item.value }}",
        "status": "{{ item.status }}",
        "updated_at": "{{ item.update_time }}"
    },
    "destination": {
        "type": "database",
        "table": "pipedrive_deals",
        "schema": {"id": "bigint", "title": "text", "value": "numeric", "status": "text", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
