-- Of slice_rows only the records asked for and what belongs to them: an API that ignores a filter answers others too.
delete from slice_rows
where not coalesce(list_contains($named::varchar[], id) or list_contains($named::varchar[], (doc ->> '$.entityId')), false);
