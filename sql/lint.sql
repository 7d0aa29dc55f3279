-- What every object of the extension must have.  Each query names offenders:
-- no row is the expected answer.
SET search_path = pg_catalog;

-- The extension's functions, and which of them only support something else:
-- an aggregate, a type, an operator, an operator class, a cast, the planner.
CREATE TEMP VIEW functions AS
SELECT p.*, p.oid::regprocedure::text AS signature,
	p.oid IN (SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn,
			aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn]::oid[]) FROM pg_aggregate)
	OR p.oid IN (SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin,
			typmodout, typanalyze]::oid[]) FROM pg_type)
	OR p.oid IN (SELECT unnest(ARRAY[oprcode, oprrest, oprjoin]::oid[]) FROM pg_operator)
	OR p.oid IN (SELECT amproc FROM pg_amproc)
	OR p.oid IN (SELECT castfunc FROM pg_cast)
	OR p.oid IN (SELECT prosupport FROM pg_proc)
	OR p.prorettype = 'trigger'::regtype AS supports
FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'customer_tier';

CREATE TEMP VIEW relations AS
SELECT c.*
FROM pg_class c
WHERE c.relnamespace = 'customer_tier'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'c', 'f');

-- functions, aggregates and procedures without a comment
SELECT signature
FROM pg_temp.functions
WHERE NOT supports AND obj_description(oid, 'pg_proc') IS NULL
ORDER BY signature COLLATE "C";

-- types without a comment (array and row types are not types of their own)
SELECT t.oid::regtype
FROM pg_type t
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = 'customer_tier'::regnamespace
	AND NOT (t.typcategory = 'A' AND t.typelem <> 0)
	AND (t.typrelid = 0 OR c.relkind = 'c')
	AND coalesce(obj_description(t.oid, 'pg_type'), obj_description(c.oid, 'pg_class')) IS NULL
ORDER BY t.typname COLLATE "C";

-- operators without a comment
SELECT o.oid::regoperator
FROM pg_operator o
WHERE o.oprnamespace = 'customer_tier'::regnamespace AND obj_description(o.oid, 'pg_operator') IS NULL
ORDER BY o.oid::regoperator::text COLLATE "C";

-- tables and views without a comment
SELECT relname
FROM pg_temp.relations
WHERE relkind <> 'c' AND obj_description(oid, 'pg_class') IS NULL
ORDER BY relname COLLATE "C";

-- columns of tables and views without a comment
SELECT r.relname, a.attname
FROM pg_temp.relations r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE r.relkind <> 'c' AND col_description(r.oid, a.attnum) IS NULL
ORDER BY r.relname COLLATE "C", a.attnum;

-- functions of their arguments alone that keep every query which calls them
-- from running in parallel (of others, script/test asks that they say so)
SELECT signature
FROM pg_temp.functions
WHERE proparallel = 'u' AND prokind <> 'p' AND provolatile = 'i'
ORDER BY signature COLLATE "C";

-- aggregates that claim to be parallel safe, but cannot be combined, or
-- combine a state that cannot travel between processes
SELECT f.signature
FROM pg_temp.functions f
JOIN pg_aggregate a ON a.aggfnoid = f.oid
WHERE a.aggkind = 'n' AND f.proparallel = 's'
	AND (a.aggcombinefn = 0
		OR a.aggtranstype = 'internal'::regtype AND (a.aggserialfn = 0 OR a.aggdeserialfn = 0))
ORDER BY f.signature COLLATE "C";

-- functions whose parameters have no names, so that a => call cannot be written
SELECT signature
FROM pg_temp.functions
WHERE NOT supports AND prokind IN ('f', 'p') AND pronargs > 0
	AND (proargnames IS NULL OR '' = ANY (proargnames[1:pronargs]))
ORDER BY signature COLLATE "C";

-- functions with their owner's rights, but the caller's search_path
SELECT signature
FROM pg_temp.functions
WHERE prosecdef AND NOT coalesce(array_to_string(proconfig, ' ') LIKE '%search_path=%', false)
ORDER BY signature COLLATE "C";

-- tables of the extension that a dump would leave out
SELECT r.relname
FROM pg_temp.relations r, pg_extension e
WHERE e.extname = 'customer_tier' AND r.relkind IN ('r', 'p')
	AND NOT coalesce(r.oid = ANY (e.extconfig), false)
ORDER BY r.relname COLLATE "C";

-- What catches errors starts a subtransaction, which a parallel plan may not:
-- neither it nor whoever calls it is parallel safe.
WITH RECURSIVE ours AS (
    SELECT p.oid, p.proname::text COLLATE "C" AS name, p.prosrc, p.proparallel FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE p.pronamespace = 'customer_tier'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
), catches AS (
    SELECT ours.oid, ours.name FROM ours WHERE ours.prosrc ~ 'EXCEPTION\s+WHEN'
    UNION
    SELECT ours.oid, ours.name FROM catches JOIN ours ON ours.prosrc ~ ('customer_tier\.' || catches.name || '\(')
)
SELECT DISTINCT ours.name AS catches_errors_in_parallel FROM catches JOIN ours USING (oid) WHERE ours.proparallel = 's' ORDER BY 1;
SELECT count(*) > 10 AS looked FROM pg_proc WHERE pronamespace = 'customer_tier'::regnamespace AND prosrc ~ 'EXCEPTION\s+WHEN' OR proparallel = 'u';
