-- Twilio: the calls of each account.  An operator is a part of the parameter's name; days are the finest that is asked for; the next address is
-- relative; times are those of e-mail (RFC 2822); 404 means that there is nothing.
SELECT databite.set_token('twilio', 'twilio-token');

SELECT databite.schedule_job($json$
{
    "id": "twilio",
    "steps": [
        {
            "id": "accounts",
            "source": {
                "type": "api",
                "url": "https://api.twilio.com/2010-04-01/Accounts.json",
                "query": {"PageSize": "1000"},
                "auth": {"type": "basic", "username": "AC01", "password": "{{ tokens.twilio }}"},
                "dataPath": "accounts",
                "pagination": {"type": "next_url", "nextUrlPath": "next_page_uri"}
            },
            "transform": {"sid": "{{ item.sid }}", "name": "{{ item.friendly_name }}"},
            "destination": {"type": "database", "table": "twilio_accounts", "schema": {"sid": "text", "name": "text"}, "key": "sid"}
        },
        {
            "id": "calls",
            "dependsOn": ["accounts"],
            "source": {
                "type": "api",
                "url": "https://api.twilio.com/2010-04-01/Accounts/{{ accounts.sid }}/Calls.json",
                "query": {"PageSize": "1000", "EndTime>": "{{ cursor }}"},
                "auth": {"type": "basic", "username": "AC01", "password": "{{ tokens.twilio }}"},
                "dataPath": "calls",
                "pagination": {"type": "next_url", "nextUrlPath": "next_page_uri"},
                "incremental": {"cursorField": "end_time", "format": "date", "missing": "include"},
                "onStatus": {"404": "empty"}
            },
            "transform": {
                "sid": "{{ item.sid }}",
                "account": "{{ accounts.sid }}",
                "status": "{{ item.status }}",
                "seconds": "{{ item.duration }}",
                "ended_at": "{{ item.end_time | to_datetime }}"
            },
            "destination": {
                "type": "database",
                "table": "twilio_calls",
                "schema": {"sid": "text", "account": "text", "status": "text", "seconds": "integer", "ended_at": "timestamptz"},
                "key": "sid"
            }
        }
    ]
}
$json$);
