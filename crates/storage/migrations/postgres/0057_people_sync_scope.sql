-- Row-level security for what 0056 has made.

SELECT tenant_wall('scim_token', 'tenant = (SELECT scope_tenant())');
SELECT tenant_wall('people_policy', 'tenant = (SELECT scope_tenant())');
SELECT tenant_wall('person_review', 'tenant = (SELECT scope_tenant())');
SELECT tenant_wall('imported_password',
    'EXISTS (SELECT 1 FROM person o WHERE o.id = imported_password.person AND o.tenant = (SELECT scope_tenant()))');
SELECT tenant_wall('person_review_answer',
    'EXISTS (SELECT 1 FROM person_review o WHERE o.id = person_review_answer.review AND o.tenant = (SELECT scope_tenant()))');
