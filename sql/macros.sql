-- Conversions that every stage shares; created for each connection, so that they always fit the code.
create or replace temp macro instant(t) as (try_cast(t as timestamptz)::timestamp);
create or replace temp macro instant_text(ts) as strftime(ts, '%Y-%m-%dT%H:%M:%S.%gZ');
-- A cast of text to a decimal of more than 18 digits is two hundred times as slow as one to fewer.
create or replace temp macro plain_decimal(t) as
    case
        when regexp_full_match(t, '-?[0-9]{1,9}(\.[0-9]{1,9})?') then try_cast(t as decimal(18, 9))::decimal(38, 16)
        when regexp_full_match(t, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?') then try_cast(t as decimal(38, 16))
    end;
-- The text of a JSON number, null for any other JSON value.
create or replace temp macro number_text(j) as
    case when json_type(j) in ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE') then (j ->> '$') end;
create or replace temp macro minor_factor(e) as ([1, 10, 100, 1000, 10000][e + 1]);
-- Numbers of up to 15 characters fit an integer with room to spare.
create or replace temp macro is_number(t) as regexp_full_match(t, '-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?');
create or replace temp macro is_short(t) as (length(t) <= 15 and not regexp_matches(t, '[eE]'));
create or replace temp macro ten_to(n) as pow(10, n)::bigint;
create or replace temp macro short_integer(t) as try_cast(replace(t, '.', '') as bigint);
create or replace temp macro short_decimals(t) as length(split_part(t, '.', 2));
-- Of longer ones the digits are counted, because casts would round: all digits but leading zeros, how many of them are
-- decimals, and the power of ten. A power beyond any reason only has to stay beyond reason.
create or replace temp macro number_power(t) as
    case when not regexp_matches(t, '[eE]') then 0 else coalesce(
        try_cast(regexp_extract(t, '[eE](.*)', 1) as integer), case when contains(lower(t), 'e-') then -1000000 else 1000000 end
    ) end;
create or replace temp macro number_parts(t) as {
    digits: ltrim(regexp_replace(regexp_replace(t, '[eE].*', ''), '[^0-9]', '', 'g'), '0'),
    decimals: length(split_part(regexp_replace(t, '[eE].*', ''), '.', 2)),
    power: number_power(t)
};
-- The digits up to the last that is not 0, and how many zeros follow it in minor units; fewer than none: it is finer.
create or replace temp macro long_number(t, e) as list_transform([number_parts(t)], lambda p: {
    significant: rtrim(p.digits, '0'),
    zeros: p.power - p.decimals + length(p.digits) - length(rtrim(p.digits, '0')) + e
})[1];
create or replace temp macro long_state(t, e) as list_transform([long_number(t, e)], lambda n: case
    when n.significant = '' then 'exact'
    when length(n.significant) + n.zeros > 15 then 'too_large'
    when n.zeros < 0 then 'sub_minor'
    else 'exact'
end)[1];
create or replace temp macro long_minor(t, e) as list_transform([long_number(t, e)], lambda n: case
    when n.significant = '' then 0
    when n.zeros >= 0 and length(n.significant) + n.zeros <= 15
        then try_cast((case when t[1] = '-' then '-' else '' end) || n.significant || repeat('0', n.zeros) as bigint)
end)[1];
-- exact | sub_minor | missing | not_numeric | currency_unknown | too_large
create or replace temp macro amount_state(t, e) as
    case
        when t is null then 'missing'
        when not is_number(t) then 'not_numeric'
        when e is null then 'currency_unknown'
        when not is_short(t) then long_state(t, e)
        when abs(try_cast(t as double)) * minor_factor(e) >= 1e15 then 'too_large'
        when short_decimals(t) > e and short_integer(t) % ten_to(short_decimals(t) - e) <> 0 then 'sub_minor'
        else 'exact'
    end;
-- Minor units of an exact amount, null of any other.
create or replace temp macro to_minor(t, e) as
    case
        when e is null or not is_number(t) then null
        when not is_short(t) then long_minor(t, e)
        when abs(try_cast(t as double)) * minor_factor(e) >= 1e15 then null
        when short_decimals(t) <= e then short_integer(t) * ten_to(e - short_decimals(t))
        when short_integer(t) % ten_to(short_decimals(t) - e) = 0 then short_integer(t) // ten_to(short_decimals(t) - e)
    end;
-- A target that stores doubles may answer 150.10000000000002: rounded to the minor unit, half away from zero.
create or replace temp macro to_minor_rounded(t, e) as
    case
        when is_number(t) and abs(try_cast(t as double)) * minor_factor(e) < 1e15
            then cast(round(plain_decimal(t) * minor_factor(e)) as bigint)
    end;
create or replace temp macro major_text(m, e) as
    case
        when e = 0 then m::varchar
        else (case when m < 0 then '-' else '' end) || (abs(m) // minor_factor(e))::varchar || '.'
            || lpad((abs(m) % minor_factor(e))::varchar, e, '0')
    end;
-- A GHL document of live mode; markAsTest counts wherever it is known.
create or replace temp macro is_live(d) as
    coalesce(lower(d ->> '$.liveMode') = 'true', false) and not coalesce(lower(d ->> '$.markAsTest') = 'true', false);
create or replace temp macro blank_to_null(t) as nullif(trim(t), '');
create or replace temp macro plain_text(d) as rtrim(rtrim(d::decimal(38, 9)::varchar, '0'), '.');
-- Of the connection at hand: the level of a capability in force, and an option of connections.yaml.
create or replace temp macro capability(c) as (
    select k.level from ops.capabilities as k where k.connection = getvariable('connection') and k.capability = c
);
create or replace temp macro option(o) as (getvariable('options')::json ->> o);
-- A field of the record with this key that the connection at hand holds, null where it holds none.
create or replace temp macro held(t, k, f) as (
    select max(h.held_value) from (
        select r.connection as held_by, r.record_type as held_type, r.key as held_key, (r.fields ->> f) as held_value
        from actual.records as r
    ) as h
    where h.held_by = getvariable('connection') and h.held_type = t and h.held_key = k
);
-- Native ids in their order, whether numbers or not.
create or replace temp macro native_order(t) as case when regexp_full_match(t, '[0-9]{1,30}') then lpad(t, 30, '0') else t end;
-- Whether two texts of a field differ under its rule of comparison; null counts as an empty text.
create or replace temp macro differs(rule, tolerance, wanted, got) as case rule
    when 'never' then false
    when 'minor' then coalesce(
        abs(try_cast(wanted as bigint) - try_cast(got as bigint)) > tolerance, coalesce(wanted, '') <> coalesce(got, '')
    )
    when 'time' then coalesce(
        abs(epoch_ms(instant(wanted)) - epoch_ms(instant(got))) > tolerance * 1000,
        coalesce(wanted, '') <> coalesce(got, '')
    )
    when 'text' then regexp_replace(lower(trim(coalesce(wanted, ''))), '\s+', ' ', 'g')
        <> regexp_replace(lower(trim(coalesce(got, ''))), '\s+', ' ', 'g')
    else coalesce(wanted, '') <> coalesce(got, '')
end;
