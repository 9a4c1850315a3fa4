-- Row-level security for transfers: both tenants see what they agreed on; what became of devices and people, the one that gave
-- sees of all, and the one that received of those that came.

SELECT tenant_wall('transfer', 'source = (SELECT scope_tenant()) OR target = (SELECT scope_tenant())');
SELECT tenant_wall('transfer_site', 'EXISTS (SELECT 1 FROM transfer o WHERE o.id = transfer_site.transfer
    AND (o.source = (SELECT scope_tenant()) OR o.target = (SELECT scope_tenant())))');
SELECT tenant_wall('transfer_approval', 'EXISTS (SELECT 1 FROM transfer o WHERE o.id = transfer_approval.transfer
    AND (o.source = (SELECT scope_tenant()) OR o.target = (SELECT scope_tenant())))');
SELECT tenant_wall('transfer_binding', 'EXISTS (SELECT 1 FROM transfer o WHERE o.id = transfer_binding.transfer
    AND o.source = (SELECT scope_tenant()))');
SELECT tenant_wall('transfer_item', 'EXISTS (SELECT 1 FROM transfer o WHERE o.id = transfer_item.transfer
    AND (o.source = (SELECT scope_tenant())
    OR (o.target = (SELECT scope_tenant()) AND transfer_item.outcome = ''moved'')))');
