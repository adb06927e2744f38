-- Notion: pages by search.  The cursor goes into the body of a POST that only reads; there is no filter by time, so all are asked for and
-- only what changed is written; where a page takes the server too long (504), half as many are asked for.
SELECT databite.set_token('notion', 'notion-token');

SELECT databite.schedule_job($json$
{
    "id": "notion",
    "source": {
        "type": "api",
        "method": "POST",
        "url": "https://api.notion.com/v1/search",
        "headers": {"Notion-Version": "2022-06-28"},
        "body": {"filter": {"property": "object", "value": "page"}},
        "auth": {"type": "bearer", "token": "{{ tokens.notion }}"},
        "dataPath": "results",
        "pagination": {
            "type": "cursor",
            "cursorPath": "next_cursor",
            "cursorParam": "start_cursor",
            "in": "body",
            "hasMorePath": "has_more",
            "limit": 100,
            "limitParam": "page_size"
        },
        "incremental": {"cursorField": "last_edited_time", "filter": true},
        "retry": {"idempotent": true},
        "onStatus": {"504": "halve_page"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "url": "{{ item.url }}",
        "archived": "{{ item.archived }}",
        "edited_at": "{{ item.last_edited_time }}"
    },
    "destination": {
        "type": "database",
        "table": "notion_pages",
        "schema": {"id": "uuid", "url": "text", "archived": "boolean", "edited_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
