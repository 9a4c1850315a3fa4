-- Row-level security for what people keep of their own.

SELECT tenant_wall('saved_view',
    'EXISTS (SELECT 1 FROM person o WHERE o.id = saved_view.person AND o.tenant = (SELECT scope_tenant()))');
