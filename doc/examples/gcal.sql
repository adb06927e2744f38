-- Google Calendar: the events of each calendar.  The last page has a token for what changes from then on, which cannot be combined with
-- filters; where it is too old (410), everything is read again.  What was deleted comes as cancelled.
SELECT databite.set_token('google_secret', 'google-secret');
SELECT databite.set_token('google_refresh', 'google-refresh');

SELECT databite.schedule_job($json$
{
    "id": "gcal",
    "steps": [
        {
            "id": "calendars",
            "source": {
                "type": "api",
                "url": "https://www.googleapis.com/calendar/v3/users/me/calendarList",
                "auth": {
                    "type": "oauth2",
                    "grant": "refresh_token",
                    "tokenUrl": "https://oauth2.googleapis.com/token",
                    "clientId": "google-client",
                    "clientSecret": "{{ tokens.google_secret }}",
                    "refreshToken": "{{ tokens.google_refresh }}"
                },
                "dataPath": "items",
                "pagination": {"type": "cursor", "cursorPath": "nextPageToken", "cursorParam": "pageToken"}
            },
            "transform": {"id": "{{ item.id }}", "summary": "{{ item.summary }}"},
            "destination": {"type": "database", "table": "gcal_calendars", "schema": {"id": "text", "summary": "text"}, "key": "id"}
        },
        {
            "id": "events",
            "dependsOn": ["calendars"],
            "source": {
                "type": "api",
                "url": "https://www.googleapis.com/calendar/v3/calendars/{{ calendars.id }}/events",
                "query": {"maxResults": "2500", "timeMin": "2024-01-01T00:00:00Z"},
                "auth": {
                    "type": "oauth2",
                    "grant": "refresh_token",
                    "tokenUrl": "https://oauth2.googleapis.com/token",
                    "clientId": "google-client",
                    "clientSecret": "{{ tokens.google_secret }}",
                    "refreshToken": "{{ tokens.google_refresh }}"
                },
                "dataPath": "items",
                "pagination": {"type": "cursor", "cursorPath": "nextPageToken", "cursorParam": "pageToken"},
                "incremental": {"syncToken": {"path": "nextSyncToken", "param": "syncToken", "drop": ["timeMin"], "expiredStatus": 410}}
            },
            "transform": {
                "calendar_id": "{{ calendars.id }}",
                "id": "{{ item.id }}",
                "cancelled": "{{ item.status == \"cancelled\" }}",
                "summary": "{{ item.summary }}",
                "starts_at": "{{ item.start.dateTime ?? item.start.date }}"
            },
            "destination": {
                "type": "database",
                "table": "gcal_events",
                "schema": {"calendar_id": "text", "id": "text", "cancelled": "boolean", "summary": "text", "starts_at": "timestamptz"},
                "key": ["calendar_id", "id"]
            }
        }
    ]
}
$json$);
