-- The tables about tiers in a program's schema: what the user decides (tier,
-- tier_policy, tier_change, tier_override), and what refreshes record.

CREATE FUNCTION customer_tier.create_tier_tables(schema name, key_type text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
$ddl$
CREATE TABLE %1$I.tier (
    tier_rank int PRIMARY KEY CHECK (tier_rank >= 1),
    code text NOT NULL UNIQUE CHECK (code <> ''),
    label text NOT NULL,
    label_zh text NOT NULL,
    min_score numeric CHECK (min_score BETWEEN 0 AND 100),
    entry jsonb,
    stay jsonb,
    colour text CHECK (colour ~ '^#[0-9A-Fa-f]{6}$'),
    benefit_cost numeric CHECK (benefit_cost >= 0 AND benefit_cost <= 1e18)
);
COMMENT ON TABLE %1$I.tier IS 'the tiers and their rules; edit them, the next refresh follows (labels show at once)';
COMMENT ON COLUMN %1$I.tier.tier_rank IS '1 = base tier, then upwards without gaps';
COMMENT ON COLUMN %1$I.tier.code IS 'code of the tier, as it stands in ratings.tier';
COMMENT ON COLUMN %1$I.tier.label IS 'English label';
COMMENT ON COLUMN %1$I.tier.label_zh IS 'Chinese label';
COMMENT ON COLUMN %1$I.tier.colour IS 'colour for pictures, #rrggbb';
COMMENT ON COLUMN %1$I.tier.min_score IS 'enter with at least this score (0..100), rising with the rank; NULL for the base tier, and where entry says who may enter';
COMMENT ON COLUMN %1$I.tier.entry IS 'who may enter: a rule, or an array of rules any of which will do; a rule is an object of conditions that must all hold, as in {"revenue": {"at_least": 10000, "days": 365}, "orders": 4}; NULL = by min_score';
COMMENT ON COLUMN %1$I.tier.stay IS 'who may stay, in the same form; NULL = by entry, with all scores lowered by tier_policy.delta';
COMMENT ON COLUMN %1$I.tier.benefit_cost IS 'what the benefits of the tier cost a customer and year, in currency units; NULL = not known';

CREATE TABLE %1$I.tier_policy (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    delta numeric NOT NULL DEFAULT 5 CHECK (delta BETWEEN 0 AND 100),
    upgrade_confirm int NOT NULL DEFAULT 1 CHECK (upgrade_confirm BETWEEN 1 AND 36525),
    upgrade_at text NOT NULL DEFAULT 'run' CHECK (upgrade_at IN ('run', 'month', 'quarter', 'half_year', 'year', 'membership_anniversary', 'tier_anniversary')),
    hold_days int NOT NULL DEFAULT 0 CHECK (hold_days BETWEEN 0 AND 36525),
    downgrade_confirm int NOT NULL DEFAULT 1 CHECK (downgrade_confirm BETWEEN 1 AND 36525),
    grace_days int NOT NULL DEFAULT 0 CHECK (grace_days BETWEEN 0 AND 36525),
    downgrade_needs text NOT NULL DEFAULT 'both' CHECK (downgrade_needs IN ('both', 'either')),
    downgrade_at text NOT NULL DEFAULT 'run' CHECK (downgrade_at IN ('run', 'month', 'quarter', 'half_year', 'year', 'membership_anniversary', 'tier_anniversary')),
    one_level boolean NOT NULL DEFAULT false,
    revoke_on_refund boolean NOT NULL DEFAULT false,
    grandfather boolean NOT NULL DEFAULT false,
    max_refund_rate numeric DEFAULT 0.8 CHECK (max_refund_rate > 0 AND max_refund_rate <= 1),
    tie_break text[] CHECK (cardinality(tie_break) <= 3),
    near_score numeric NOT NULL DEFAULT 5 CHECK (near_score BETWEEN 0 AND 100),
    near_amount numeric CHECK (near_amount >= 0),
    coming_days int NOT NULL DEFAULT 30 CHECK (coming_days BETWEEN 0 AND 36525),
    notify boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE %1$I.tier_policy IS 'when customers move between tiers, one row; change it with UPDATE, the next refresh follows it';
COMMENT ON COLUMN %1$I.tier_policy.only_row IS 'holds the table to one row';
COMMENT ON COLUMN %1$I.tier_policy.delta IS 'points of score: leave a tier only below its least score minus delta (where tier.stay is NULL)';
COMMENT ON COLUMN %1$I.tier_policy.upgrade_confirm IS 'climb after so many runs in a row in which a higher tier''s rule holds';
COMMENT ON COLUMN %1$I.tier_policy.upgrade_at IS 'climb at a run, or at the first run on or after the next start of a period';
COMMENT ON COLUMN %1$I.tier_policy.hold_days IS 'no downgrade for so many days after an upgrade';
COMMENT ON COLUMN %1$I.tier_policy.downgrade_confirm IS 'fall after so many failing runs in a row';
COMMENT ON COLUMN %1$I.tier_policy.grace_days IS 'fall when so many days have passed since the first failing run';
COMMENT ON COLUMN %1$I.tier_policy.downgrade_needs IS 'both confirm and grace, or either of them';
COMMENT ON COLUMN %1$I.tier_policy.downgrade_at IS 'fall at a run, or at the first run on or after the end of a period';
COMMENT ON COLUMN %1$I.tier_policy.one_level IS 'fall one tier at a time';
COMMENT ON COLUMN %1$I.tier_policy.revoke_on_refund IS 'a refund that undoes the order which earned an upgrade takes it back at once';
COMMENT ON COLUMN %1$I.tier_policy.grandfather IS 'who stands in a tier stays in it and falls from it by the terms under which it was granted';
COMMENT ON COLUMN %1$I.tier_policy.max_refund_rate IS 'who sent back at least this share of what he bought (0..1) stands in the base tier; NULL = no such rule';
COMMENT ON COLUMN %1$I.tier_policy.tie_break IS 'measures (more is better) that part customers of equal score at the boundary of a share or capacity; NULL = they stand or fall together';
COMMENT ON COLUMN %1$I.tier_policy.near_score IS 'near_upgrade shows who misses at most so many points of score';
COMMENT ON COLUMN %1$I.tier_policy.near_amount IS 'near_upgrade shows who misses at most such an amount, in currency units; NULL = any';
COMMENT ON COLUMN %1$I.tier_policy.coming_days IS 'an event announces a downgrade that is due within so many days';
COMMENT ON COLUMN %1$I.tier_policy.notify IS 'one NOTIFY customer_tier a run, with counts only; false where PREPARE TRANSACTION is used';

CREATE TABLE %1$I.tier_change (
    valid_from date PRIMARY KEY CHECK (isfinite(valid_from)),
    changes jsonb NOT NULL,
    note text,
    set_by text NOT NULL DEFAULT session_user,
    set_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE %1$I.tier_change IS 'changes of tiers and policy that begin to apply on a day, on top of tier and tier_policy, one after the other';
COMMENT ON COLUMN %1$I.tier_change.valid_from IS 'refreshes as of this day and later follow the change';
COMMENT ON COLUMN %1$I.tier_change.changes IS 'as simulate_moves() takes them: {"tiers": {"gold": {"min_score": 70}}, "policy": {"delta": 8}}';
COMMENT ON COLUMN %1$I.tier_change.note IS 'why';
COMMENT ON COLUMN %1$I.tier_change.set_by IS 'who set it';
COMMENT ON COLUMN %1$I.tier_change.set_at IS 'when';

CREATE TABLE %1$I.tier_terms (
    terms_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    valid_from date NOT NULL,
    terms jsonb NOT NULL
);
COMMENT ON TABLE %1$I.tier_terms IS 'rules and policy that were in force, one row each time they changed; written by refresh';
COMMENT ON COLUMN %1$I.tier_terms.terms_id IS 'number of the terms, as in tier_history';
COMMENT ON COLUMN %1$I.tier_terms.valid_from IS 'as_of of the first refresh that followed them; -infinity for those the program was made with';
COMMENT ON COLUMN %1$I.tier_terms.terms IS 'tiers from the base up, and the policy';

CREATE TABLE %1$I.tier_history (
    customer_id %2$s NOT NULL,
    valid_from date NOT NULL,
    valid_to date CHECK (valid_to > valid_from),
    tier text NOT NULL,
    tier_rank int NOT NULL,
    reason text NOT NULL,
    score numeric(7,4),
    previous_tier text,
    changed_by text NOT NULL,
    is_correction boolean NOT NULL DEFAULT false,
    terms_id bigint,
    run_id bigint,
    PRIMARY KEY (customer_id, valid_from)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX tier_history_open ON %1$I.tier_history (customer_id) WHERE valid_to IS NULL;
COMMENT ON TABLE %1$I.tier_history IS 'who stood in which tier from when until when, and why';
COMMENT ON COLUMN %1$I.tier_history.customer_id IS 'customer key, as in the source';
COMMENT ON COLUMN %1$I.tier_history.valid_from IS 'first day in the tier: as_of of the run that moved the customer';
COMMENT ON COLUMN %1$I.tier_history.valid_to IS 'first day no longer in the tier; NULL = still there';
COMMENT ON COLUMN %1$I.tier_history.tier IS 'code of the tier';
COMMENT ON COLUMN %1$I.tier_history.tier_rank IS 'its rank then, 1 = base tier';
COMMENT ON COLUMN %1$I.tier_history.reason IS 'why the customer came into it: initial (first evaluation), upgraded, downgraded, revoked, refunded, prospect, override, locked, or rules (the tier before is no more)';
COMMENT ON COLUMN %1$I.tier_history.score IS 'score on that day, 0..100';
COMMENT ON COLUMN %1$I.tier_history.previous_tier IS 'code of the tier before; NULL when there was none';
COMMENT ON COLUMN %1$I.tier_history.changed_by IS 'rules, or who set the override';
COMMENT ON COLUMN %1$I.tier_history.is_correction IS 'whether it stands in place of what an earlier run of the same day had said; that is in tier_correction';
COMMENT ON COLUMN %1$I.tier_history.terms_id IS 'terms (tier_terms) under which the tier was granted';
COMMENT ON COLUMN %1$I.tier_history.run_id IS 'run that moved the customer';

CREATE TABLE %1$I.tier_correction (
    correction_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    corrected_at timestamptz NOT NULL DEFAULT now(),
    corrected_by text NOT NULL DEFAULT session_user,
    run_id bigint,
    customer_id %2$s NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    tier text NOT NULL,
    tier_rank int NOT NULL,
    reason text NOT NULL,
    score numeric(7,4),
    previous_tier text,
    changed_by text NOT NULL,
    was_correction boolean NOT NULL,
    terms_id bigint,
    first_run_id bigint
);
COMMENT ON TABLE %1$I.tier_correction IS 'rows of tier_history that a later run of the same day, or rewind_tiers(), took back';
COMMENT ON COLUMN %1$I.tier_correction.correction_id IS 'number of the row';
COMMENT ON COLUMN %1$I.tier_correction.corrected_at IS 'when it was taken back';
COMMENT ON COLUMN %1$I.tier_correction.corrected_by IS 'by whose session';
COMMENT ON COLUMN %1$I.tier_correction.run_id IS 'run that took it back; NULL = rewind_tiers()';
COMMENT ON COLUMN %1$I.tier_correction.customer_id IS 'customer key, as in the source';
COMMENT ON COLUMN %1$I.tier_correction.valid_from IS 'as in tier_history, and so the columns that follow';
COMMENT ON COLUMN %1$I.tier_correction.valid_to IS 'first day no longer in the tier; NULL = still there';
COMMENT ON COLUMN %1$I.tier_correction.tier IS 'code of the tier';
COMMENT ON COLUMN %1$I.tier_correction.tier_rank IS 'its rank then';
COMMENT ON COLUMN %1$I.tier_correction.reason IS 'why';
COMMENT ON COLUMN %1$I.tier_correction.score IS 'score on that day, 0..100';
COMMENT ON COLUMN %1$I.tier_correction.previous_tier IS 'code of the tier before';
COMMENT ON COLUMN %1$I.tier_correction.changed_by IS 'rules, or who set the override';
COMMENT ON COLUMN %1$I.tier_correction.was_correction IS 'whether it was a correction itself';
COMMENT ON COLUMN %1$I.tier_correction.terms_id IS 'terms (tier_terms) under which the tier was granted';
COMMENT ON COLUMN %1$I.tier_correction.first_run_id IS 'run that had written it';

CREATE TABLE %1$I.tier_override (
    override_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    customer_id %2$s NOT NULL,
    tier text NOT NULL REFERENCES %1$I.tier (code) ON UPDATE CASCADE,
    reason text NOT NULL CHECK (reason <> ''),
    lock boolean NOT NULL DEFAULT false,
    valid_from date NOT NULL CHECK (isfinite(valid_from)),
    valid_to date NOT NULL DEFAULT 'infinity' CHECK (valid_to >= valid_from),
    set_by text NOT NULL DEFAULT session_user,
    set_at timestamptz NOT NULL DEFAULT now(),
    ended_by text,
    ended_at timestamptz,
    ended_reason text,
    planned_to date
);
CREATE INDEX tier_override_customer ON %1$I.tier_override (customer_id);
COMMENT ON TABLE %1$I.tier_override IS 'tiers that a person decided; set_override() and end_override() write it. Of several that are valid on a day the one set last counts';
COMMENT ON COLUMN %1$I.tier_override.override_id IS 'number of the override';
COMMENT ON COLUMN %1$I.tier_override.customer_id IS 'customer key, as in the source';
COMMENT ON COLUMN %1$I.tier_override.tier IS 'code of the tier';
COMMENT ON COLUMN %1$I.tier_override.reason IS 'why';
COMMENT ON COLUMN %1$I.tier_override.lock IS 'true: exactly this tier; false: at least this tier';
COMMENT ON COLUMN %1$I.tier_override.valid_from IS 'first day (as_of) on which it applies';
COMMENT ON COLUMN %1$I.tier_override.valid_to IS 'first day on which it does no longer apply; the day of valid_from when it was ended before it began';
COMMENT ON COLUMN %1$I.tier_override.set_by IS 'who set it';
COMMENT ON COLUMN %1$I.tier_override.set_at IS 'when';
COMMENT ON COLUMN %1$I.tier_override.ended_by IS 'who ended it before its time; NULL = nobody';
COMMENT ON COLUMN %1$I.tier_override.ended_at IS 'when';
COMMENT ON COLUMN %1$I.tier_override.ended_reason IS 'why';
COMMENT ON COLUMN %1$I.tier_override.planned_to IS 'its valid_to before it was ended';

CREATE TABLE %1$I.tier_event (
    event_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL,
    as_of date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('upgrade', 'downgrade', 'coming_downgrade')),
    customer_id %2$s NOT NULL,
    from_tier text NOT NULL,
    to_tier text,
    reason text NOT NULL,
    due date,
    acknowledged_at timestamptz,
    acknowledged_by text
);
CREATE INDEX tier_event_waiting ON %1$I.tier_event (event_id) WHERE acknowledged_at IS NULL;
COMMENT ON TABLE %1$I.tier_event IS 'outbox: moves, and downgrades that are coming, written with the ratings; a worker takes the rows that are not acknowledged, FOR UPDATE SKIP LOCKED, and acknowledges them';
COMMENT ON COLUMN %1$I.tier_event.event_id IS 'number of the event, rising';
COMMENT ON COLUMN %1$I.tier_event.run_id IS 'run that wrote it';
COMMENT ON COLUMN %1$I.tier_event.as_of IS 'day of the ratings';
COMMENT ON COLUMN %1$I.tier_event.kind IS 'upgrade, downgrade, or coming_downgrade: a downgrade due within tier_policy.coming_days';
COMMENT ON COLUMN %1$I.tier_event.customer_id IS 'customer key, as in the source';
COMMENT ON COLUMN %1$I.tier_event.from_tier IS 'code of the tier before, or of the one that is about to be lost';
COMMENT ON COLUMN %1$I.tier_event.to_tier IS 'code of the tier after; NULL for coming_downgrade';
COMMENT ON COLUMN %1$I.tier_event.reason IS 'why, as in tier_history and ratings.tier_reason';
COMMENT ON COLUMN %1$I.tier_event.due IS 'coming_downgrade: the day of the fall if nothing changes';
COMMENT ON COLUMN %1$I.tier_event.acknowledged_at IS 'when a worker took it; NULL = waiting';
COMMENT ON COLUMN %1$I.tier_event.acknowledged_by IS 'which worker';
$ddl$, schema, key_type);
    EXECUTE format('INSERT INTO %I.tier_policy DEFAULT VALUES', schema);
END
$$;
COMMENT ON FUNCTION customer_tier.create_tier_tables(name, text) IS 'internal: the tables about tiers of a program';
