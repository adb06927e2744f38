-- World Bank: the population of all countries.  The answer is an array of what is told of the list, and the list; an error is an array of one, with
-- status 200.  Years are numbers; the last ones are read again, as they are revised.
SELECT databite.schedule_job($json$
{
    "id": "worldbank",
    "source": {
        "type": "api",
        "url": "https://api.worldbank.org/v2/country/all/indicator/SP.POP.TOTL",
        "query": {"format": "json", "date": "{{ cursor }}:2100"},
        "dataPath": "$[1]",
        "pagination": {"type": "page", "pageSize": 1000, "sizeParam": "per_page", "totalPagesPath": "$[0].pages"},
        "incremental": {"cursorField": "date", "type": "number", "initialValue": 1960, "lookback": 1},
        "errorWhen": "{{ response[0].message != null }}",
        "errorMessage": "{{ response[0].message[0].value }}"
    },
    "transform": {"country": "{{ item.country.id }}", "year": "{{ item.date }}", "population": "{{ item.value }}"},
    "destination": {
        "type": "database",
        "table": "worldbank_population",
        "schema": {"country": "text", "year": "integer", "population": "bigint"},
        "key": ["country", "year"]
    }
}
$json$);
