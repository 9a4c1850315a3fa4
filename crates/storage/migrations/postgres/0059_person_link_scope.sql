-- Row-level security for links of people, as 0045 has it for people.

SELECT tenant_wall('person_link', 'tenant = (SELECT scope_tenant())');
