-- Airtable: a table that has a field "Modified" of the type "last modified time".  A 429 says nothing and means 30 seconds; fields that are
-- empty are left out.
SELECT databite.set_token('airtable', 'airtable-token');

SELECT databite.schedule_job($json$
{
    "id": "airtable",
    "source": {
        "type": "api",
        "url": "https://api.airtable.com/v0/appExample/Contacts",
        "query": {"filterByFormula": "NOT(IS_BEFORE({Modified}, '{{ cursor }}'))"},
        "auth": {"type": "bearer", "token": "{{ tokens.airtable }}"},
        "dataPath": "records",
        "pagination": {"type": "cursor", "cursorPath": "offset", "cursorParam": "offset", "limit": 100, "limitParam": "pageSize"},
        "incremental": {"cursorField": "fields.Modified"},
        "rateLimit": {"requestsPerSecond": 5, "burstLimit": 5, "wait": "30s"}
    },
    "transform": {
        "id": "{{ item.id }}",
        "name": "{{ item.fields.Name }}",
        "active": "{{ item.fields.Active ?? false }}",
        "modified_at": "{{ item.fields.Modified }}"
    },
    "destination": {
        "type": "database",
        "table": "airtable_contacts",
        "schema": {"id": "text", "name": "text", "active": "boolean", "modified_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
