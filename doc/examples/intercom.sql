-- Intercom: contacts by search.  Its filter knows days only, so every run looks a day back; where the server fails in the middle of a
-- listing, that begins anew; a 404 of the web server in front of it, a page of HTML, is passed over.
SELECT databite.set_token('intercom', 'intercom-token');

SELECT databite.schedule_job($json$
{
    "id": "intercom",
    "source": {
        "type": "api",
        "method": "POST",
        "url": "https://api.intercom.io/contacts/search",
        "headers": {"Intercom-Version": "2.11"},
        "body": {"query": {"field": "updated_at", "operator": ">", "value": "{{ cursor }}"}},
        "auth": {"type": "bearer", "token": "{{ tokens.intercom }}"},
        "dataPath": "data",
        "pagination": {
            "type": "cursor",
            "cursorPath": "pages.next.starting_after",
            "cursorParam": "pagination.starting_after",
            "in": "body",
            "limit": 100,
            "limitParam": "pagination.per_page"
        },
        "incremental": {"cursorField": "updated_at", "format": "epoch", "lookback": "1d"},
        "retry": {"idempotent": true},
        "onStatus": {
            "500": "restart",
            "404": [{"when": "{{ http.headers[\"content-type\"] | starts_with(\"text/html\") }}", "action": "skip"}, "fail"]
        }
    },
    "transform": {
        "id": "{{ item.id }}",
        "email": "{{ item.email }}",
        "role": "{{ item.role }}",
        "updated_at": "{{ item.updated_at | from_unix }}"
    },
    "destination": {
        "type": "database",
        "table": "intercom_contacts",
        "schema": {"id": "text", "email": "text", "role": "text", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
