-- Row-level security for the index of companies' logs, and for answers to programs of a company.

SELECT tenant_wall('trail', 'tenant = (SELECT scope_tenant())');
SELECT tenant_wall('kept_client_answer', 'tenant = (SELECT scope_tenant())');
