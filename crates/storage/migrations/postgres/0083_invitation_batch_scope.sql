-- Row-level security for batches of invitations and for alarms about copied certificates.

SELECT tenant_wall('invitation_batch', 'tenant = (SELECT scope_tenant())');
SELECT tenant_wall('copy_alarm',
    'EXISTS (SELECT 1 FROM device o WHERE o.id = copy_alarm.device AND o.tenant = (SELECT scope_tenant()))');
