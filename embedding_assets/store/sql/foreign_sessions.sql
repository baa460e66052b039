-- Of every transaction in another people's database.

-- name: bound
-- Until the transaction ends only, so that a pooler between us and them hands on a connection as it was. Texts of times and keys must
-- not depend on the role's own settings.
SELECT set_config('statement_timeout', %(milliseconds)s, true), set_config('lock_timeout', %(milliseconds)s, true),
       set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true)
