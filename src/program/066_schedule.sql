-- A refresh every night, by pg_cron where it is there, otherwise by what the
-- machine has: the lines for it are returned.

CREATE FUNCTION customer_tier.cron_field(field text, lowest int, highest int, names text[] DEFAULT '{}') RETURNS int[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item text;
    part text[];
    bound int[];
    result int[] := '{}';
BEGIN
    IF field IS NULL THEN
        RETURN NULL;
    END IF;
    FOREACH item IN ARRAY string_to_array(field, ',') LOOP
        -- "*", "a" or "a-b", the first and the last with a step
        part := regexp_match(lower(item), E'^(?:(\\*)|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?$');
        IF part IS NULL OR (part[4] IS NOT NULL AND part[1] IS NULL AND part[3] IS NULL) THEN
            RETURN NULL;
        END IF;
        IF part[1] IS NOT NULL THEN
            bound := ARRAY[lowest, highest];
        ELSE
            -- Names count from the lowest value.
            bound := ARRAY(SELECT CASE WHEN b.value ~ '[a-z]' THEN array_position(names, b.value) - 1 + lowest ELSE b.value::int END
                             FROM unnest(ARRAY[part[2], coalesce(part[3], part[2])]) WITH ORDINALITY AS b (value, n) ORDER BY b.n);
        END IF;
        IF (lowest <= bound[1] AND bound[1] <= bound[2] AND bound[2] <= highest AND coalesce(part[4]::int, 1) >= 1) IS NOT TRUE THEN
            RETURN NULL;
        END IF;
        result := result || ARRAY(SELECT generate_series(bound[1], bound[2], coalesce(part[4]::int, 1)));
    END LOOP;
    RETURN CASE WHEN result <> '{}' THEN ARRAY(SELECT DISTINCT unnest(result) ORDER BY 1) END;
END
$$;
COMMENT ON FUNCTION customer_tier.cron_field(text, int, int, text[]) IS 'internal: the values that a field of a cron schedule means; NULL when it means none';

CREATE FUNCTION customer_tier.cron_fields(cron text, OUT minutes int[], OUT hours int[], OUT days int[], OUT months int[], OUT weekdays int[], OUT days_or_weekdays boolean)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    field text[] := regexp_split_to_array(regexp_replace(cron, E'^[ \\t]+|[ \\t]+$', '', 'g'), E'[ \\t]+');
    wrong text;
BEGIN
    IF cardinality(field) = 5 THEN
        minutes := customer_tier.cron_field(field[1], 0, 59);
        hours := customer_tier.cron_field(field[2], 0, 23);
        days := customer_tier.cron_field(field[3], 1, 31);
        months := customer_tier.cron_field(field[4], 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
        weekdays := customer_tier.cron_field(field[5], 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
        wrong := CASE WHEN minutes IS NULL THEN format('its minute is "%s"', field[1])
                      WHEN hours IS NULL THEN format('its hour is "%s"', field[2])
                      WHEN days IS NULL THEN format('its day of the month is "%s"', field[3])
                      WHEN months IS NULL THEN format('its month is "%s"', field[4])
                      WHEN weekdays IS NULL THEN format('its day of the week is "%s"', field[5]) END;
    ELSE
        wrong := format('it has %s', CASE cardinality(field) WHEN 1 THEN '1 field' ELSE cardinality(field) || ' fields' END);
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"%s" is no cron schedule: %s', cron, wrong),
            HINT = 'Give minute 0-59, hour 0-23, day of the month 1-31, month 1-12 and day of the week 0-7 (0 and 7 are Sunday): ''5 2 * * *'' is every day at 02:05, ''*/15 8-18 * * 1-5'' every quarter of an hour in the daytime of working days.';
    END IF;
    -- Sunday has two numbers.
    weekdays := ARRAY(SELECT DISTINCT w % 7 FROM unnest(weekdays) AS w ORDER BY 1);
    -- As cron has it: where both are given, either will do.
    days_or_weekdays := left(field[3], 1) <> '*' AND left(field[5], 1) <> '*';
END
$$;
COMMENT ON FUNCTION customer_tier.cron_fields(text) IS 'internal: what the fields of a cron schedule mean; an error when it is none';

CREATE FUNCTION customer_tier.calendar_list(field_values int[], every int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Neighbours make a range; all make a star.
    SELECT CASE WHEN cardinality(field_values) = every THEN '*' ELSE string_agg(r.range, ',' ORDER BY r.first) END
      FROM (SELECT min(i.value) AS first,
                   to_char(min(i.value), 'FM00') || CASE WHEN max(i.value) > min(i.value) THEN '..' || to_char(max(i.value), 'FM00') ELSE '' END AS range
              FROM (SELECT value, value - row_number() OVER (ORDER BY value) AS island FROM unnest(field_values) AS value) AS i
             GROUP BY i.island) AS r
$$;
COMMENT ON FUNCTION customer_tier.calendar_list(int[], int) IS 'internal: values of a field as systemd writes them';

CREATE FUNCTION customer_tier.cron_calendar(cron text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f record := customer_tier.cron_fields(cron);
    at text := format('%s:%s:00', customer_tier.calendar_list(f.hours, 24), customer_tier.calendar_list(f.minutes, 60));
    month text := customer_tier.calendar_list(f.months, 12);
    day text := customer_tier.calendar_list(f.days, 31);
    weekday text := CASE WHEN cardinality(f.weekdays) < 7 THEN (SELECT string_agg(('{Sun,Mon,Tue,Wed,Thu,Fri,Sat}'::text[])[w + 1], ',' ORDER BY (w + 6) % 7) || ' ' FROM unnest(f.weekdays) w) ELSE '' END;
BEGIN
    IF f.days_or_weekdays AND (day = '*' OR weekday = '') THEN
        RETURN NEXT format('*-%s-* %s', month, at);
    ELSIF f.days_or_weekdays THEN
        RETURN NEXT format('*-%s-%s %s', month, day, at);
        RETURN NEXT format('%s*-%s-* %s', weekday, month, at);
    ELSE
        RETURN NEXT format('%s*-%s-%s %s', weekday, month, day, at);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.cron_calendar(text) IS 'internal: the OnCalendar lines of a systemd timer that fires when a cron schedule does';

CREATE FUNCTION customer_tier.refresh_call(program text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- Stands between double quotes, in a line of a shell, of a crontab and of
    -- systemd: no character that means something to any of them is left.
    SELECT 'CALL customer_tier.refresh('
           || CASE WHEN program !~ E'[[:cntrl:]''"\\\\%$`!]' THEN quote_literal(program)
                   ELSE 'U&''' || string_agg(CASE WHEN c.letter ~ E'[[:cntrl:]''"\\\\%$`!]' THEN '!' || upper(lpad(to_hex(ascii(c.letter)), 4, '0')) ELSE c.letter END, '' ORDER BY c.n)
                        || ''' UESCAPE ''!''' END || ')'
      FROM regexp_split_to_table(program, '') WITH ORDINALITY AS c (letter, n)
     GROUP BY program
$$;
COMMENT ON FUNCTION customer_tier.refresh_call(text) IS 'internal: the call of a refresh, of harmless characters only';

CREATE FUNCTION customer_tier.url_part(part text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(CASE WHEN ascii(c.letter) > 127 OR c.letter ~ '^[A-Za-z0-9_.~-]$' THEN c.letter ELSE '%' || upper(lpad(to_hex(ascii(c.letter)), 2, '0')) END, '' ORDER BY c.n), '')
      FROM regexp_split_to_table(part, '') WITH ORDINALITY AS c (letter, n)
$$;
COMMENT ON FUNCTION customer_tier.url_part(text) IS 'internal: a name as it stands in a connection URI';

CREATE FUNCTION customer_tier.refresh_job(program text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    -- pg_cron keeps 63 bytes: longer names must not become the same.
    SELECT CASE WHEN octet_length(j.job) <= 63 THEN j.job ELSE 'customer_tier refresh of ' || md5(program) END
      FROM (SELECT 'customer_tier refresh of ' || program AS job) AS j
$$;
COMMENT ON FUNCTION customer_tier.refresh_job(text) IS 'internal: name of the job of pg_cron that refreshes a program';

CREATE FUNCTION customer_tier.schedule_lines(program text, cron text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Through the socket; no port is the port that psql takes by itself.
    uri text := format('postgresql://%s@/%s%s', customer_tier.url_part(current_user), customer_tier.url_part(current_database()),
                       CASE WHEN current_setting('port') <> '5432' THEN '?port=' || current_setting('port') ELSE '' END);
    call text := customer_tier.refresh_call(program);
    -- Names that differ in other characters have units of their own.
    unit text := 'customer_tier-' || CASE WHEN program ~ '^[A-Za-z0-9_.-]{1,100}$' THEN program
                                          ELSE left(regexp_replace(program, '[^A-Za-z0-9_.-]', '_', 'g'), 90) || '-' || left(md5(program), 8) END;
    elsewhere text := (SELECT s.setting FROM pg_settings s WHERE s.name = 'cron.database_name');
BEGIN
    RETURN CASE WHEN elsewhere <> current_database() THEN
        format(E'-- pg_cron, in database "%s", as superuser:\nSELECT cron.schedule_in_database(%L, %L, %L, %L, %L);\n\n', elsewhere,
               customer_tier.refresh_job(program || ' in ' || current_database()), cron, format('CALL customer_tier.refresh(%L)', program), current_database(), current_user) ELSE '' END
        -- cron reads a bare % as the end of the line.
        || format(E'# crontab of a system user who may connect as role "%s":\n', regexp_replace(current_user, '[[:cntrl:]]', ' ', 'g'))
        || format(E'%s psql -Xq -v ON_ERROR_STOP=1 -d "%s" -c "SET client_min_messages = warning" -c "%s"\n', cron, replace(uri, '%', E'\\%'), call)
        || format(E'\n# /etc/systemd/system/%s.service\n', unit)
        -- systemd reads a bare % as a specifier, and a backslash at the end as the next line.
        || format(E'[Unit]\nDescription=Refresh of customer_tier program "%s"\n', replace(regexp_replace(program, '[[:cntrl:]]', ' ', 'g'), '%', '%%'))
        || format(E'[Service]\nType=oneshot\nUser=postgres\nExecStart=/usr/bin/psql -Xq -v ON_ERROR_STOP=1 -d "%s" -c "%s"\n', replace(uri, '%', '%%'), call)
        || format(E'\n# /etc/systemd/system/%s.timer, then: systemctl daemon-reload && systemctl enable --now %s.timer\n', unit, unit)
        || format(E'[Timer]\n%s\nPersistent=true\n[Install]\nWantedBy=timers.target', (SELECT string_agg('OnCalendar=' || c.line, E'\n') FROM customer_tier.cron_calendar(cron) WITH ORDINALITY AS c (line)));
END
$$;
COMMENT ON FUNCTION customer_tier.schedule_lines(text, text) IS 'internal: what to tell pg_cron in another database, cron and systemd';

CREATE FUNCTION customer_tier.schedule_refresh(program text, cron text DEFAULT '5 2 * * *') RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema name := customer_tier.program_schema(program);
    owner name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = schema);
    has_cron boolean := EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron');
    job CONSTANT text := customer_tier.refresh_job(program);
    -- Shorthands are cron's own, but not everybody knows them.
    plain text := coalesce((SELECT s.long FROM (VALUES ('@hourly', '0 * * * *'), ('@daily', '0 0 * * *'), ('@midnight', '0 0 * * *'), ('@weekly', '0 0 * * 0'),
                                                       ('@monthly', '0 0 1 * *'), ('@yearly', '0 0 1 1 *'), ('@annually', '0 0 1 1 *')) AS s (short, long) WHERE s.short = lower(btrim(cron))), btrim(cron));
    job_id bigint;
    problem text;
    problem_code text;
BEGIN
    IF cron IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the schedule must not be NULL',
            HINT = 'Give it in the form of cron, such as ''5 2 * * *'' for every day at 02:05; unschedule_refresh() ends a schedule.';
    ELSIF NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of program "%s" to schedule its refresh', program),
            HINT = format('It belongs to role "%s"; a job runs with the rights of who schedules it.', owner);
    END IF;
    IF plain ~* '^[0-9]+ +seconds?$' OR plain ~ E'^([^ \\t]+[ \\t]+){2}\\$[ \\t]' THEN
        -- Forms that pg_cron has from 1.5 on, and nobody else.
        IF NOT has_cron THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" is a schedule that only pg_cron knows', cron),
                DETAIL = 'It is not installed in this database, and neither a crontab nor the OnCalendar of a systemd timer can be derived.',
                HINT = 'Give five fields, such as ''5 2 * * *'' for every day at 02:05 or ''* * * * *'' for every minute.';
        END IF;
    ELSE
        PERFORM customer_tier.cron_fields(plain);
    END IF;

    IF NOT has_cron THEN
        RAISE NOTICE USING MESSAGE = 'nothing was scheduled: pg_cron is not installed in this database',
            HINT = 'Use what is returned, for one of cron, systemd, or pg_cron where it is; or CREATE EXTENSION pg_cron, and call this again.';
        RETURN customer_tier.schedule_lines(program, plain);
    END IF;

    IF NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'cron' AND p.proname = 'schedule' AND p.pronargs = 3) THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('pg_cron %s has no named jobs', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pg_cron')),
            HINT = 'Its version 1.3 brought them: ALTER EXTENSION pg_cron UPDATE;';
    END IF;
    BEGIN
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job_id USING job, plain, format('CALL customer_tier.refresh(%L)', program);
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('pg_cron does not let role "%s" schedule: %s', current_user, sqlerrm),
                HINT = format('GRANT USAGE ON SCHEMA cron TO %I;', current_user);
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, problem_code = RETURNED_SQLSTATE;
            RAISE EXCEPTION USING ERRCODE = problem_code, MESSAGE = format('pg_cron refused the schedule "%s": %s', cron, problem),
                DETAIL = format('It is pg_cron %s; schedules of seconds and the last day of the month came with 1.5.', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pg_cron')),
                HINT = 'Use the five fields of cron, such as ''5 2 * * *'' for every day at 02:05 or ''* * * * *'' for every minute.';
    END;
    RETURN format('pg_cron job %s "%s": %s', job_id, job, plain);
END
$$;
COMMENT ON FUNCTION customer_tier.schedule_refresh(text, text) IS 'refresh a program by a schedule of cron (minute hour day month weekday), by default every day at 02:05, as a job of pg_cron, which runs as who calls this; called again it changes the schedule. Where pg_cron is not installed in the database it schedules nothing, and returns the lines for pg_cron elsewhere, crontab and systemd';

CREATE FUNCTION customer_tier.unschedule_refresh(program text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs bigint[];
BEGIN
    -- The program may be gone already.
    IF program IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'the name of the program must not be NULL',
            HINT = 'SELECT * FROM customer_tier.program lists the programs of this database.';
    ELSIF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
        RAISE NOTICE USING MESSAGE = 'nothing was unscheduled: pg_cron is not installed in this database',
            HINT = 'Was it cron or systemd that refreshes? Remove the line of the crontab, or systemctl disable --now the timer.';
        RETURN false;
    END IF;
    EXECUTE 'SELECT array_agg(j.jobid) FROM cron.job AS j WHERE j.jobname = $1 AND j.database = current_database()' INTO jobs USING customer_tier.refresh_job(program);
    EXECUTE 'SELECT cron.unschedule(id) FROM unnest($1) AS id' USING jobs;
    RETURN jobs IS NOT NULL;
END
$$;
COMMENT ON FUNCTION customer_tier.unschedule_refresh(text) IS 'remove the job of pg_cron that refreshes a program, which may be gone already; false when there was none';

CREATE FUNCTION customer_tier.warn_of_refresh_job(program text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_scheduled boolean := false;
BEGIN
    -- Who may not look at the jobs has none.
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron')
       AND has_schema_privilege('cron', 'USAGE') AND has_table_privilege(to_regclass('cron.job'), 'SELECT') THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM cron.job AS j WHERE j.jobname = $1 AND j.database = current_database())'
            INTO is_scheduled USING customer_tier.refresh_job(program);
    END IF;
    IF is_scheduled THEN
        RAISE WARNING USING MESSAGE = format('a job of pg_cron still refreshes program "%s", and will fail', program),
            HINT = format('SELECT customer_tier.unschedule_refresh(%L); removes it.', program);
    END IF;
END
$$;
COMMENT ON FUNCTION customer_tier.warn_of_refresh_job(text) IS 'internal: say that a program that is dropped is still scheduled';
