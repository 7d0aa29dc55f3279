-- Presets of tiers: what create_program copies into <schema>.tier, where the
-- user edits them.  A user's own presets are rows beside ours.

CREATE TABLE customer_tier.tier_preset (
    preset text NOT NULL CHECK (preset <> ''),
    tier_rank int NOT NULL CHECK (tier_rank >= 1),
    code text NOT NULL CHECK (code <> ''),
    label text NOT NULL,
    label_zh text NOT NULL,
    min_score numeric CHECK (min_score BETWEEN 0 AND 100),
    colour text CHECK (colour ~ '^#[0-9A-Fa-f]{6}$'),
    builtin boolean NOT NULL DEFAULT false,
    PRIMARY KEY (preset, tier_rank),
    UNIQUE (preset, code)
);
COMMENT ON TABLE customer_tier.tier_preset IS 'presets of tiers for create_program(preset => ...); add your own with INSERT';
COMMENT ON COLUMN customer_tier.tier_preset.preset IS 'name of the preset';
COMMENT ON COLUMN customer_tier.tier_preset.tier_rank IS '1 = base tier, then upwards without gaps';
COMMENT ON COLUMN customer_tier.tier_preset.code IS 'code of the tier, as it stands in ratings.tier';
COMMENT ON COLUMN customer_tier.tier_preset.label IS 'English label';
COMMENT ON COLUMN customer_tier.tier_preset.label_zh IS 'Chinese label';
COMMENT ON COLUMN customer_tier.tier_preset.colour IS 'colour for pictures, #rrggbb';
COMMENT ON COLUMN customer_tier.tier_preset.min_score IS 'least score (0..100) of the tier; NULL or 0 for the base tier, rising with the rank';
COMMENT ON COLUMN customer_tier.tier_preset.builtin IS 'true for the presets that come with the extension; a dump carries the others';
GRANT SELECT ON customer_tier.tier_preset TO PUBLIC;

INSERT INTO customer_tier.tier_preset (preset, tier_rank, code, label, label_zh, min_score, colour, builtin) VALUES
    ('standard', 4, 'platinum', 'Platinum', '铂金', 85, '#6e7f8d', true),
    ('standard', 3, 'gold', 'Gold', '黄金', 65, '#d4a017', true),
    ('standard', 2, 'silver', 'Silver', '白银', 40, '#a8a9ad', true),
    ('standard', 1, 'bronze', 'Bronze', '青铜', NULL, '#a97142', true),
    ('vip', 3, 'vip', 'VIP', 'VIP客户', 85, '#7b3f99', true),
    ('vip', 2, 'regular', 'Regular', '普通客户', 35, '#3b7dd8', true),
    ('vip', 1, 'potential', 'Potential', '潜在客户', NULL, '#9aa5b1', true),
    ('value', 3, 'high', 'High value', '高价值', 66, '#1b7f5a', true),
    ('value', 2, 'medium', 'Medium value', '中价值', 33, '#5aa9a3', true),
    ('value', 1, 'low', 'Low value', '低价值', NULL, '#b0b8bf', true);
SELECT pg_catalog.pg_extension_config_dump('customer_tier.tier_preset', 'WHERE NOT builtin');
