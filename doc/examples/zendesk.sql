-- Zendesk: tickets by the incremental export.  The last page has a next address too, and says end_of_stream; a page begins with the
-- ticket that the one before ended with; no start later than a minute ago is taken; ten requests a minute.
SELECT databite.set_token('zendesk', 'zendesk-token');

SELECT databite.schedule_job($json$
{
    "id": "zendesk",
    "source": {
        "type": "api",
        "url": "https://example.zendesk.com/api/v2/incremental/tickets/cursor.json",
        "query": {"start_time": "{{ cursor }}"},
        "auth": {"type": "basic", "username": "ada@example.com/token", "password": "{{ tokens.zendesk }}"},
        "dataPath": "tickets",
        "pagination": {"type": "next_url", "nextUrlPath": "after_url", "stopWhen": "{{ response.end_of_stream }}"},
        "incremental": {"cursorField": "updated_at", "format": "epoch", "lag": "61s"},
        "rateLimit": {"requestsPerMinute": 10, "burstLimit": 10}
    },
    "transform": {
        "id": "{{ item.id }}",
        "subject": "{{ item.subject }}",
        "status": "{{ item.status }}",
        "updated_at": "{{ item.updated_at }}"
    },
    "destination": {
        "type": "database",
        "table": "zendesk_tickets",
        "schema": {"id": "bigint", "subject": "text", "status": "text", "updated_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
