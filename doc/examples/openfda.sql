-- openFDA: reports of adverse events, by the day on which they came.  The Link header goes on where "skip" would end at 25,000; 404 means that
-- there is nothing; 240 requests a minute.
SELECT databite.set_token('openfda', 'openfda-key');

SELECT databite.schedule_job($json$
{
    "id": "openfda",
    "source": {
        "type": "api",
        "url": "https://api.fda.gov/drug/event.json",
        "query": {"search": "receivedate:[{{ cursor }} TO 20991231]", "sort": "receivedate:asc", "limit": "1000"},
        "auth": {"type": "api_key", "in": "query", "name": "api_key", "value": "{{ tokens.openfda }}"},
        "dataPath": "results",
        "pagination": {"type": "link"},
        "incremental": {"cursorField": "receivedate", "format": "%Y%m%d", "initialValue": "2024-01-01"},
        "rateLimit": {"requestsPerMinute": 240, "burstLimit": 10},
        "onStatus": {"404": "empty"}
    },
    "transform": {
        "id": "{{ item.safetyreportid }}",
        "received_on": "{{ item.receivedate | to_date(\"%Y%m%d\") }}",
        "serious": "{{ item.serious == \"1\" }}",
        "drugs": "{{ item.patient.drug[*].medicinalproduct }}"
    },
    "destination": {
        "type": "database",
        "table": "openfda_events",
        "schema": {"id": "bigint", "received_on": "date", "serious": "boolean", "drugs": "text[]"},
        "key": "id"
    }
}
$json$);
