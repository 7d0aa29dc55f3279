-- Segment maps: which cell of R, F and M scores is which segment.  Maps are
-- data; a user adds one with INSERT.

CREATE TABLE customer_tier.segment_map (
    map text NOT NULL CHECK (map <> ''),
    priority integer NOT NULL,
    segment text NOT NULL CHECK (segment <> ''),
    label text NOT NULL CHECK (label <> ''),
    label_zh text CHECK (label_zh <> ''),
    scores integer NOT NULL CHECK (scores BETWEEN 2 AND 20),
    r_from integer,
    r_to integer,
    f_from integer,
    f_to integer,
    m_from integer,
    m_to integer,
    fm_from double precision,
    fm_to double precision,
    relative boolean NOT NULL DEFAULT false,
    builtin boolean NOT NULL DEFAULT false,
    PRIMARY KEY (map, priority),
    CONSTRAINT segment_map_r CHECK (r_from BETWEEN 0 AND scores AND r_to BETWEEN 0 AND scores AND r_from <= r_to),
    CONSTRAINT segment_map_f CHECK (f_from BETWEEN 0 AND scores AND f_to BETWEEN 0 AND scores AND f_from <= f_to),
    CONSTRAINT segment_map_m CHECK (m_from BETWEEN 0 AND scores AND m_to BETWEEN 0 AND scores AND m_from <= m_to),
    CONSTRAINT segment_map_fm CHECK (fm_from BETWEEN 0 AND scores AND fm_to BETWEEN 0 AND scores AND fm_from <= fm_to),
    CONSTRAINT segment_map_relative CHECK (
        NOT relative
        OR (coalesce(r_from, 1) <= 2 AND coalesce(r_to, 1) <= 2
            AND coalesce(f_from, 1) <= 2 AND coalesce(f_to, 1) <= 2
            AND coalesce(m_from, 1) <= 2 AND coalesce(m_to, 1) <= 2
            AND coalesce(fm_from, 1) <= 2 AND coalesce(fm_to, 1) <= 2)),
    CONSTRAINT segment_map_prospects CHECK (
        segment <> 'prospects'
        OR (r_from IS NULL AND r_to IS NULL AND f_from IS NULL AND f_to IS NULL
            AND m_from IS NULL AND m_to IS NULL AND fm_from IS NULL AND fm_to IS NULL))
);
COMMENT ON TABLE customer_tier.segment_map IS
    'Segment maps, a row a box of R, F and M scores; the first box by priority that holds a cell names its segment. Add your own with INSERT under a name of your own: a dump holds the rows that are not builtin, so changes to builtin rows, and own rows marked builtin, are lost on restore.';
COMMENT ON COLUMN customer_tier.segment_map.map IS 'name of the map';
COMMENT ON COLUMN customer_tier.segment_map.priority IS 'order of the boxes: where several hold a cell, the lowest wins';
COMMENT ON COLUMN customer_tier.segment_map.segment IS 'code of the segment; ''prospects'' is no box but labels customers without an order';
COMMENT ON COLUMN customer_tier.segment_map.label IS 'name of the segment in English';
COMMENT ON COLUMN customer_tier.segment_map.label_zh IS 'name of the segment in Chinese';
COMMENT ON COLUMN customer_tier.segment_map.scores IS 'number of scores the map is made for, the same in all its rows; 5 means scores 1 to 5, 5 best';
COMMENT ON COLUMN customer_tier.segment_map.r_from IS 'lowest recency score of the box; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.r_to IS 'highest recency score of the box; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.f_from IS 'lowest frequency score of the box; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.f_to IS 'highest frequency score of the box; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.m_from IS 'lowest monetary score of the box; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.m_to IS 'highest monetary score of the box; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.fm_from IS 'lowest mean of the frequency and monetary scores; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.fm_to IS 'highest mean of the frequency and monetary scores; NULL: any';
COMMENT ON COLUMN customer_tier.segment_map.relative IS 'ranges are 1 = below the comparison value and 2 = at or above it, instead of scores; the same in all rows of a map';
COMMENT ON COLUMN customer_tier.segment_map.builtin IS 'came with the extension; rows of your own have false and are dumped';

GRANT SELECT ON customer_tier.segment_map TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('customer_tier.segment_map', 'WHERE NOT builtin');

INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to, f_from, f_to, builtin) VALUES
    ('grid25',  1, 'champions',          'Champions',           '核心客户',     5, 5, 5, 4, 5, true),
    ('grid25',  2, 'loyal',              'Loyal Customers',     '忠诚客户',     5, 3, 4, 4, 5, true),
    ('grid25',  3, 'potential_loyalist', 'Potential Loyalists', '潜力忠诚客户', 5, 4, 5, 2, 3, true),
    ('grid25',  4, 'new',                'New Customers',       '新客户',       5, 5, 5, 1, 1, true),
    ('grid25',  5, 'promising',          'Promising',           '潜力客户',     5, 4, 4, 1, 1, true),
    ('grid25',  6, 'need_attention',     'Need Attention',      '需关注客户',   5, 3, 3, 3, 3, true),
    ('grid25',  7, 'about_to_sleep',     'About to Sleep',      '即将沉睡客户', 5, 3, 3, 1, 2, true),
    ('grid25',  8, 'at_risk',            'At Risk',             '流失预警客户', 5, 1, 2, 3, 4, true),
    ('grid25',  9, 'cant_lose',          'Can''t Lose Them',    '重点挽回客户', 5, 1, 2, 5, 5, true),
    ('grid25', 10, 'hibernating',        'Hibernating',         '沉睡客户',     5, 1, 2, 1, 2, true);

-- Maps given cell by cell, written R F M.
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to, f_from, f_to, m_from, m_to, builtin)
SELECT map, (pg_catalog.row_number() OVER (PARTITION BY map ORDER BY place, cell_place))::integer,
       segment, label, label_zh, scores, r, r, f, f, m, m, true
FROM (VALUES
    ('cube125', 5,  1, 'champions', 'Champions', '核心客户',
     '555 554 544 545 454 455 445'),
    ('cube125', 5,  2, 'loyal', 'Loyal', '忠诚客户',
     '543 444 435 355 354 345 344 335'),
    ('cube125', 5,  3, 'potential_loyalist', 'Potential Loyalist', '潜力忠诚客户',
     '553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 333 323'),
    ('cube125', 5,  4, 'new', 'New Customers', '新客户',
     '512 511 422 421 412 411 311'),
    ('cube125', 5,  5, 'promising', 'Promising', '潜力客户',
     '525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313'),
    ('cube125', 5,  6, 'need_attention', 'Need Attention', '需关注客户',
     '535 534 443 434 343 334 325 324'),
    ('cube125', 5,  7, 'about_to_sleep', 'About To Sleep', '即将沉睡客户',
     '331 321 312 221 213 231 241 251'),
    ('cube125', 5,  8, 'at_risk', 'At Risk', '流失预警客户',
     '255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124'),
    ('cube125', 5,  9, 'cant_lose', 'Can''t Lose Them', '重点挽回客户',
     '155 154 144 214 215 115 114 113'),
    ('cube125', 5, 10, 'hibernating', 'Hibernating', '沉睡客户',
     '332 322 233 232 223 222 132 123 122 212 211'),
    ('cube125', 5, 11, 'lost', 'Lost', '已流失客户',
     '111 112 121 131 141 151'),
    ('klaviyo27', 3, 1, 'champions', 'Champions', '核心客户', '333 332 323'),
    ('klaviyo27', 3, 2, 'loyal', 'Loyal', '忠诚客户', '321 322 331 232 233'),
    ('klaviyo27', 3, 3, 'recent', 'Recent', '近期客户', '312 313 311 222 223'),
    ('klaviyo27', 3, 4, 'need_attention', 'Needs Attention', '需关注客户', '213 221 123 132 133'),
    ('klaviyo27', 3, 5, 'at_risk', 'At Risk', '流失预警客户', '231 212 122 131 211'),
    ('klaviyo27', 3, 6, 'inactive', 'Inactive', '不活跃客户', '111 112 113 121')
) AS segments (map, scores, place, segment, label, label_zh, cells)
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.string_to_array(cells, ' ')) WITH ORDINALITY AS c (cell, cell_place)
CROSS JOIN LATERAL (
    SELECT pg_catalog.substr(cell, 1, 1)::integer, pg_catalog.substr(cell, 2, 1)::integer, pg_catalog.substr(cell, 3, 1)::integer
) AS digits (r, f, m);

-- The Chinese eight-segment model: 1 = low, 2 = high against the comparison value.
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to, f_from, f_to, m_from, m_to, relative, builtin) VALUES
    ('cn8', 1, 'key_value',        'Key value',           '重要价值客户', 5, 2, 2, 2, 2, 2, 2, true, true),
    ('cn8', 2, 'key_develop',      'Key to develop',      '重要发展客户', 5, 2, 2, 1, 1, 2, 2, true, true),
    ('cn8', 3, 'key_keep',         'Key to keep',         '重要保持客户', 5, 1, 1, 2, 2, 2, 2, true, true),
    ('cn8', 4, 'key_win_back',     'Key to win back',     '重要挽留客户', 5, 1, 1, 1, 1, 2, 2, true, true),
    ('cn8', 5, 'general_value',    'General value',       '一般价值客户', 5, 2, 2, 2, 2, 1, 1, true, true),
    ('cn8', 6, 'general_develop',  'General to develop',  '一般发展客户', 5, 2, 2, 1, 1, 1, 1, true, true),
    ('cn8', 7, 'general_keep',     'General to keep',     '一般保持客户', 5, 1, 1, 2, 2, 1, 1, true, true),
    ('cn8', 8, 'general_win_back', 'General to win back', '一般挽留客户', 5, 1, 1, 1, 1, 1, 1, true, true);

-- Boxes of R and (F + M) / 2 that overlap: the order decides, and some never come up.
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, r_from, r_to, fm_from, fm_to, builtin) VALUES
    ('putler',  1, 'champions',          'Champions',          '核心客户',     5, 4, 5, 4, 5, true),
    ('putler',  2, 'loyal',              'Loyal',              '忠诚客户',     5, 2, 5, 3, 5, true),
    ('putler',  3, 'potential_loyalist', 'Potential Loyalist', '潜力忠诚客户', 5, 3, 5, 1, 3, true),
    ('putler',  4, 'recent',             'Recent',             '近期客户',     5, 4, 5, 0, 1, true),
    ('putler',  5, 'promising',          'Promising',          '潜力客户',     5, 3, 4, 0, 1, true),
    ('putler',  6, 'need_attention',     'Needing Attention',  '需关注客户',   5, 2, 3, 2, 3, true),
    ('putler',  7, 'about_to_sleep',     'About To Sleep',     '即将沉睡客户', 5, 2, 3, 0, 2, true),
    ('putler',  8, 'at_risk',            'At Risk',            '流失预警客户', 5, 0, 2, 2, 5, true),
    ('putler',  9, 'cant_lose',          'Can''t Lose Them',   '重点挽回客户', 5, 0, 1, 4, 5, true),
    ('putler', 10, 'hibernating',        'Hibernating',        '沉睡客户',     5, 1, 2, 1, 2, true),
    ('putler', 11, 'lost',               'Lost',               '已流失客户',   5, 0, 2, 0, 2, true);

-- Customers without an order are outside all cells.
INSERT INTO customer_tier.segment_map (map, priority, segment, label, label_zh, scores, relative, builtin)
SELECT map, 1000, 'prospects', 'Prospects', '未购客户', scores, relative, true
FROM (SELECT DISTINCT map, scores, relative FROM customer_tier.segment_map) AS maps;

CREATE FUNCTION customer_tier.rfm_segment(r integer, f integer, m integer, map text DEFAULT 'grid25', compare double precision[] DEFAULT NULL)
RETURNS text LANGUAGE c STABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'rfm_segment';
COMMENT ON FUNCTION customer_tier.rfm_segment(integer, integer, integer, text, double precision[]) IS
    'code of the segment of an R, F, M cell in a segment map; compare: the values a score must reach to be high in a relative map, default the middle of the scores; no scores at all: prospects';

CREATE FUNCTION customer_tier.segment_map_scores(map text)
RETURNS integer LANGUAGE c STABLE PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'segment_map_scores';
COMMENT ON FUNCTION customer_tier.segment_map_scores(text) IS
    'number of scores a segment map is made for';

CREATE FUNCTION customer_tier.segment_cells(map text, compare double precision[] DEFAULT NULL)
RETURNS TABLE (r integer, f integer, m integer, segment text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 125
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    scores integer := customer_tier.segment_map_scores($1);
BEGIN
    RETURN QUERY
        SELECT i.score, j.score, k.score, customer_tier.rfm_segment(i.score, j.score, k.score, $1, $2)
        FROM pg_catalog.generate_series(1, scores) AS i (score)
        CROSS JOIN pg_catalog.generate_series(1, scores) AS j (score)
        CROSS JOIN pg_catalog.generate_series(1, scores) AS k (score);
END
$$;
COMMENT ON FUNCTION customer_tier.segment_cells(text, double precision[]) IS
    'all cells of a segment map with their segment, to join with or to look at';

CREATE FUNCTION customer_tier.segment_map_check(map text)
RETURNS TABLE (problem text, cell text, segments text[])
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    side integer;
BEGIN
    -- names an unknown map
    IF NOT EXISTS (SELECT FROM customer_tier.segment_map AS b WHERE b.map = $1) THEN
        PERFORM customer_tier.segment_map_scores($1);
    END IF;

    -- Rows that contradict each other: nothing else can be said then.
    RETURN QUERY
        SELECT p.problem, NULL::text, p.segments
        FROM (SELECT CASE WHEN pg_catalog.min(b.scores) <> pg_catalog.max(b.scores) THEN 'mixed scores'
                          WHEN pg_catalog.bool_or(b.relative) AND NOT pg_catalog.bool_and(b.relative) THEN 'mixed relative'
                     END,
                     pg_catalog.array_agg(DISTINCT b.segment)
              FROM customer_tier.segment_map AS b
              WHERE b.map = $1) AS p (problem, segments)
        WHERE p.problem IS NOT NULL;
    IF FOUND THEN
        RETURN;
    END IF;

    RETURN QUERY
        SELECT 'mixed labels'::text, NULL::text, ARRAY[b.segment]
        FROM customer_tier.segment_map AS b
        WHERE b.map = $1
        GROUP BY b.segment
        HAVING pg_catalog.count(DISTINCT (b.label, b.label_zh)) > 1
        ORDER BY b.segment;

    SELECT CASE WHEN b.relative THEN 2 ELSE b.scores END INTO side
    FROM customer_tier.segment_map AS b
    WHERE b.map = $1
    LIMIT 1;

    RETURN QUERY
        WITH boxes AS (
            SELECT b.*
            FROM customer_tier.segment_map AS b
            WHERE b.map = $1 AND b.segment <> 'prospects'
        ), digits AS (
            SELECT d.score FROM pg_catalog.generate_series(1, side) AS d (score)
        ), covered AS (
            SELECT i.score AS r, j.score AS f, k.score AS m, b.priority, b.segment
            FROM boxes AS b
            JOIN digits AS i ON i.score >= coalesce(b.r_from, 1) AND i.score <= coalesce(b.r_to, side)
            JOIN digits AS j ON j.score >= coalesce(b.f_from, 1) AND j.score <= coalesce(b.f_to, side)
            JOIN digits AS k ON k.score >= coalesce(b.m_from, 1) AND k.score <= coalesce(b.m_to, side)
            WHERE (b.fm_from IS NULL OR (j.score + k.score) / 2.0::double precision >= b.fm_from)
              AND (b.fm_to IS NULL OR (j.score + k.score) / 2.0::double precision <= b.fm_to)
        ), cells AS (
            SELECT i.score AS r, j.score AS f, k.score AS m, pg_catalog.count(c.priority) AS boxes, pg_catalog.min(c.priority) AS winner,
                   pg_catalog.array_agg(c.segment ORDER BY c.priority) AS segments
            FROM digits AS i
            CROSS JOIN digits AS j
            CROSS JOIN digits AS k
            LEFT JOIN covered AS c ON c.r = i.score AND c.f = j.score AND c.m = k.score
            GROUP BY i.score, j.score, k.score
        )
        SELECT p.problem, p.cell, p.segments
        FROM (SELECT CASE c.boxes WHEN 0 THEN 'uncovered' ELSE 'doubly covered' END AS problem,
                     CASE WHEN side <= 9 THEN pg_catalog.concat(c.r, c.f, c.m) ELSE pg_catalog.concat_ws('-', c.r, c.f, c.m) END AS cell,
                     CASE c.boxes WHEN 0 THEN '{}'::text[] ELSE c.segments END AS segments,
                     1 AS part, (c.r * 100 + c.f) * 100 + c.m AS place
              FROM cells AS c
              WHERE c.boxes <> 1
              UNION ALL
              SELECT CASE WHEN EXISTS (SELECT FROM boxes AS o JOIN cells AS c ON c.winner = o.priority WHERE o.segment = b.segment)
                          THEN 'unreachable box' ELSE 'unreachable' END,
                     NULL::text, ARRAY[b.segment], 2, b.priority
              FROM boxes AS b
              WHERE NOT EXISTS (SELECT FROM cells AS c WHERE c.winner = b.priority)) AS p
        ORDER BY p.part, p.problem DESC, p.place;
END
$$;
COMMENT ON FUNCTION customer_tier.segment_map_check(text) IS
    'what is wrong with a segment map: cells uncovered or doubly covered, segments and boxes that can never be assigned, rows that contradict each other; no rows: nothing (a cell reads R F M, in a relative map 1 = low and 2 = high)';
