-- What a subscription is for and when it is billed.
alter table staging.subscriptions add column plan varchar;
alter table staging.subscriptions add column interval_text varchar;
alter table staging.subscriptions add column starts_at timestamp;
alter table staging.subscriptions add column ends_at timestamp;
alter table staging.subscriptions add column cancelled_at timestamp;
alter table staging.subscriptions add column next_billing_at timestamp;
