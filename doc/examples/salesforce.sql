-- Salesforce: accounts by SOQL, deleted ones too.  The answer that brings the token says where to ask; nextRecordsUrl is relative.
SELECT databite.set_token('salesforce_secret', 'salesforce-secret');

SELECT databite.schedule_job($json$
{
    "id": "salesforce",
    "source": {
        "type": "api",
        "url": "{{ auth.base_url }}/services/data/v61.0/queryAll",
        "query": {
            "q": "SELECT Id, Name, IsDeleted, SystemModstamp FROM Account WHERE SystemModstamp >= {{ window.from }} AND SystemModstamp < {{ window.to }} ORDER BY SystemModstamp"
        },
        "auth": {
            "type": "oauth2",
            "grant": "client_credentials",
            "tokenUrl": "https://example.my.salesforce.com/services/oauth2/token",
            "clientId": "salesforce-client",
            "clientSecret": "{{ tokens.salesforce_secret }}",
            "baseUrlPath": "instance_url"
        },
        "dataPath": "records",
        "pagination": {"type": "next_url", "nextUrlPath": "nextRecordsUrl", "stopWhen": "{{ response.done }}"},
        "incremental": {"cursorField": "SystemModstamp", "lag": "5m"}
    },
    "transform": {
        "id": "{{ item.Id }}",
        "name": "{{ item.Name }}",
        "deleted": "{{ item.IsDeleted }}",
        "modified_at": "{{ item.SystemModstamp }}"
    },
    "destination": {
        "type": "database",
        "table": "salesforce_accounts",
        "schema": {"id": "text", "name": "text", "deleted": "boolean", "modified_at": "timestamptz"},
        "key": "id"
    }
}
$json$);
