-- Row-level security for what 0068 has made.

SELECT tenant_wall('provider_logout', 'tenant = (SELECT scope_tenant())');
