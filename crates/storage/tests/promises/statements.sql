DELETE FROM acme_account WHERE created_at < $1 AND invitation IS NULL AND NOT EXISTS (SELECT 1 FROM acme_order o WHERE o.account = acme_account.id)

DELETE FROM acme_order WHERE expires_at < $1 AND state <> 'valid'

DELETE FROM approval WHERE expires_at < $1

DELETE FROM approval WHERE invitation = $1 AND key_hash = $2 AND state = 'waiting' AND expires_at < $3

DELETE FROM audit

DELETE FROM audit WHERE seq = 2050

DELETE FROM audit WHERE seq = 3

DELETE FROM audit WHERE seq > (SELECT MAX(seq) - 2 FROM audit)

DELETE FROM audit WHERE seq >= $1 AND seq <= $2

DELETE FROM audit_gap

DELETE FROM crl WHERE issuer IN (SELECT id FROM issuer WHERE kind = 'issuing' AND custody = 'own')

DELETE FROM granted_token WHERE family = $1 AND until <= $2

DELETE FROM granted_token WHERE until <= $1 OR family IN (SELECT id FROM token_family WHERE state = 'ended' OR idle_until <= $1 OR expires_at <= $1 OR device IN (SELECT id FROM device WHERE state IN ('revoked', 'retired')))

DELETE FROM invitation_line WHERE list IN (SELECT id FROM invitation_list WHERE client = $1 AND done_at < $2)

DELETE FROM invitation_list WHERE client = $1 AND done_at < $2

DELETE FROM licence WHERE product = $1 AND tenant = $2 AND COALESCE(site, '') = COALESCE($3, '')

DELETE FROM lost_certificate WHERE issuer = $1 AND serial = $2 AND reason IS NULL

DELETE FROM receiver_ack WHERE receiver = $1 AND number <= (SELECT CASE WHEN receiver_ack.line = 'feed' THEN r.seq ELSE COALESCE(r.issued, 0) END FROM receiver r WHERE r.id = $1)

DELETE FROM receiver_notice WHERE receiver = $1 AND number = $2

DELETE FROM scep_transaction WHERE created_at < $1

DELETE FROM scep_transaction WHERE holder = $1 AND created_at < (SELECT created_at FROM scep_transaction WHERE holder = $1 ORDER BY created_at DESC LIMIT 1 OFFSET $2)

DELETE FROM token_day WHERE day < $1

DELETE FROM token_family WHERE state = 'ended' OR idle_until <= $1 OR expires_at <= $1 OR device IN (SELECT id FROM device WHERE state IN ('revoked', 'retired'))

INSERT INTO acme_account (id, thumbprint, jwk, invitation, state, created_at, binding) VALUES ($1, $2, $3, $4, 'valid', $5, $6) ON CONFLICT DO NOTHING

INSERT INTO acme_order (id, account, invitation, kind, identifier, token, state, authorization_state, replaces, created_at, expires_at) SELECT $1, a.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM acme_account a WHERE a.id = $2 AND a.state = 'valid'

INSERT INTO approval (id, invitation, key_hash, request, platform, address, state, reason, asked_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', '', $7, $8)

INSERT INTO audit (seq, at, device, entry, hash) SELECT seq + 1, at, device, entry, hash FROM audit ORDER BY seq DESC LIMIT 1

INSERT INTO blocked_key (key_hash, key_id, note, at) SELECT key_hash, key_id, '', 0 FROM certificate WHERE generation = 1

INSERT INTO blocked_key (key_hash, key_id, note, at) VALUES ($1, $2, $3, $4) ON CONFLICT (key_hash) DO NOTHING

INSERT INTO burned_status (place, seq) SELECT c.status_place, $1 FROM certificate c WHERE c.status_place IS NOT NULL AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.device = $2 AND NOT EXISTS (SELECT 1 FROM device d JOIN denied_tokens k ON k.kind = 'tenant' AND k.holder = d.tenant WHERE d.id = $2 AND k.issued_before >= $3)

INSERT INTO burned_status (place, seq) SELECT c.status_place, $1 FROM certificate c WHERE c.status_place IS NOT NULL AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.device IN (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $2 AND d.role = 'device' AND NOT EXISTS (SELECT 1 FROM denied_tokens k WHERE k.kind = 'device' AND k.holder = d.id AND k.issued_before >= $3))

INSERT INTO certificate (issuer, serial, shard, device, generation, parent, state, key_hash, key_id, tbs, not_before, not_after, reserved_at, status_place) SELECT i.id, $2, $3, d.id, $5, $6, 'reserved', $7, $8, $9, $10, $11, $12, $13 FROM issuer i JOIN device d ON d.id = $4 JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site WHERE i.id = $1 AND i.state = 'active' AND (i.tenant = d.tenant OR (i.tenant IS NULL AND t.issuing = 'pool')) AND (t.state = 'active' OR d.role = 'gate') AND ($5 > 1 OR (d.role <> 'device' OR ((s.places IS NULL OR s.places >= (SELECT COUNT(*) FROM device o WHERE o.site = s.id AND o.role = 'device' AND o.state IN ('active', 'suspended') AND (NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id) OR EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id AND k.not_after >= $12 AND k.state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring'))))) AND (t.places IS NULL OR t.places >= (SELECT COUNT(*) FROM site h JOIN device o ON o.site = h.id WHERE h.tenant = t.id AND o.role = 'device' AND o.state IN ('active', 'suspended') AND (NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id) OR EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id AND k.not_after >= $12 AND k.state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring'))))))))

INSERT INTO crl (issuer, shard, number, revision, this_update, next_update, der) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (issuer, shard) DO UPDATE SET number = $3, revision = $4, this_update = $5, next_update = $6, der = $7 WHERE crl.number < $3 AND crl.revision <= $4

INSERT INTO denied_token (jti, until) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING

INSERT INTO denied_token (jti, until, device) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING

INSERT INTO denied_tokens (kind, holder, issued_before, until) VALUES ($1, $2, $3, $4) ON CONFLICT (kind, holder) DO UPDATE SET issued_before = $3, until = $4 WHERE denied_tokens.issued_before < $3 OR denied_tokens.issued_before > $5

INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, 'active', 0, $6, $6)

INSERT INTO feed (seq, at, change) VALUES ($1, $2, $3)

INSERT INTO feed (seq, at, change) VALUES (5, 0, '{}')

INSERT INTO granted_token (jti, family, until) VALUES ($1, $2, $3)

INSERT INTO head (id, audit_seq, audit_hash, feed_seq) VALUES (1, 0, $1, 0) ON CONFLICT (id) DO NOTHING

INSERT INTO invitation (id, code_hash, tenant, site, role, label, state, created_at, expires_at) SELECT $1, $2, s.tenant, s.id, $5, $6, 'open', $7, $8 FROM site s WHERE s.tenant = $3 AND s.id = $4

INSERT INTO invitation (id, code_hash, tenant, site, role, label, state, created_at, expires_at, key_hash, kitting, kitting_number) VALUES ($1, $2, $3, $4, 'device', $5, 'open', $6, $7, $8, $9, $10)

INSERT INTO invitation_line (list, number, tenant, site, label, state, refusal, hidden) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

INSERT INTO invitation_list (id, client, idempotency_key, request_hash, created_at, life, done_at) VALUES ($1, $2, $3, $4, $5, $6, $7)

INSERT INTO issuer (id, kind, custody, certificate, parent, tenant, shards, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

INSERT INTO kitting (id, code_hash, tenant, site, label, places, per_minute, networks, state, created_at, expires_at) SELECT $1, $2, s.tenant, s.id, $5, $6, $7, $8, 'open', $9, $10 FROM site s WHERE s.tenant = $3 AND s.id = $4

INSERT INTO licence (product, tenant, site, granted_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

INSERT INTO loss_report (event, device, reporter, at) VALUES ($1, $2, $3, $4)

INSERT INTO lost_certificate (issuer, serial, shard, thumbprint, not_after, ended_at, reason) SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = $1 AND c.serial = $2) ON CONFLICT (issuer, serial) DO UPDATE SET ended_at = $6, reason = $7 WHERE lost_certificate.reason IS NULL

INSERT INTO receipt (surface, seq, applied_at, seen_at) VALUES ($1, $2, $3, $3) ON CONFLICT (surface) DO UPDATE SET seen_at = CASE WHEN receipt.seen_at < $3 OR receipt.seen_at > $4 THEN $3 ELSE receipt.seen_at END, applied_at = CASE WHEN receipt.seq < $2 OR receipt.applied_at > $4 THEN $3 ELSE receipt.applied_at END, seq = CASE WHEN receipt.seq < $2 THEN $2 ELSE receipt.seq END

INSERT INTO receiver (id, seq, sender_until, failures, rejections) VALUES ($1, $2, 0, 0, 0) ON CONFLICT (id) DO NOTHING

INSERT INTO receiver_ack (receiver, line, number, kind) SELECT r.id, $2, $3, $4 FROM receiver r WHERE r.id = $1 AND (SELECT COUNT(*) FROM receiver_ack a WHERE a.receiver = $1) < $5 ON CONFLICT (receiver, line, number, kind) DO NOTHING

INSERT INTO receiver_notice (receiver, number, kind, payload) SELECT id, notices, $2, $3 FROM receiver WHERE id = $1

INSERT INTO registrar (issuer, serial, tbs, sealed_key, not_after, reserved_at) VALUES ($1, $2, $3, $4, $5, $6)

INSERT INTO responder SELECT issuer, serial, tbs, der, not_after, 0 FROM certificate WHERE generation = 1

INSERT INTO scep_transaction (id, holder, public_key, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (holder, id) DO NOTHING

INSERT INTO shard (issuer, number, revision) VALUES ($1, $2, 1)

INSERT INTO site (id, tenant, name, created_at) VALUES ($1, $2, $3, $4)

INSERT INTO tenant (id, name, issuing, created_at) VALUES ($1, $2, $3, $4)

INSERT INTO token_family (id, device, audience, subject, current_hash, state, created_at, idle_until, expires_at, scope) SELECT $1, d.id, $3, $4, $5, 'living', $6, $7, $8, $9 FROM device d WHERE d.id = $2 AND d.state = 'active'

SELECT 'certificate' AS what, c.device || '/' || CAST(c.generation AS TEXT) AS id, 'device' AS missing FROM certificate c WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.id = c.device) UNION ALL SELECT 'certificate', c.device || '/' || CAST(c.generation AS TEXT), 'issuer' FROM certificate c WHERE NOT EXISTS (SELECT 1 FROM issuer i WHERE i.id = c.issuer) UNION ALL SELECT 'certificate', c.device || '/' || CAST(c.generation AS TEXT), 'shard' FROM certificate c WHERE NOT EXISTS (SELECT 1 FROM shard s WHERE s.issuer = c.issuer AND s.number = c.shard) UNION ALL SELECT 'certificate', c.device || '/' || CAST(c.generation AS TEXT), 'parent' FROM certificate c WHERE c.parent IS NOT NULL AND (c.parent >= c.generation OR NOT EXISTS (SELECT 1 FROM certificate p WHERE p.device = c.device AND p.generation = c.parent)) UNION ALL SELECT 'responder', r.issuer, 'issuer' FROM responder r WHERE NOT EXISTS (SELECT 1 FROM issuer i WHERE i.id = r.issuer) UNION ALL SELECT 'registrar', r.issuer, 'issuer' FROM registrar r WHERE NOT EXISTS (SELECT 1 FROM issuer i WHERE i.id = r.issuer) UNION ALL SELECT 'crl', l.issuer, 'shard' FROM crl l WHERE NOT EXISTS (SELECT 1 FROM shard s WHERE s.issuer = l.issuer AND s.number = l.shard) UNION ALL SELECT 'invitation', v.id, 'device' FROM invitation v WHERE v.state = 'claimed' AND NOT EXISTS (SELECT 1 FROM device d WHERE d.id = v.device) LIMIT $1

SELECT (SELECT COUNT(*) FROM acme_order WHERE account = $1 AND created_at > $2), (SELECT COUNT(*) FROM acme_order WHERE replaces = $3 AND state = 'valid')

SELECT CASE WHEN d.state <> 'active' THEN d.cause ELSE COALESCE(c.cause, (SELECT 'key_compromise' FROM blocked_key b WHERE b.key_hash = c.key_hash), CASE WHEN c.reason = 'superseded' THEN c.reason END) END FROM certificate c JOIN device d ON d.id = c.device WHERE c.thumbprint = $1

SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)

SELECT COALESCE(MAX(kitting_number), 0), COUNT(CASE WHEN created_at > $2 THEN 1 END) FROM invitation WHERE kitting = $1

SELECT COUNT(*) FROM certificate

SELECT COUNT(*) FROM certificate c JOIN device d ON d.id = c.device WHERE c.issuer = $1 AND c.not_after >= $2 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND d.state IN ('active', 'suspended')

SELECT COUNT(*) FROM invitation_list WHERE client = $1 AND created_at > $2

SELECT COUNT(*) FROM loss_report WHERE reporter = $1 AND at > $2

SELECT MAX(at) FROM (SELECT MAX(applied_at) AS at FROM receipt UNION ALL SELECT MAX(seen_at) FROM receipt) AS times

SELECT MAX(at) FROM (SELECT MAX(created_at) AS at FROM device UNION ALL SELECT MAX(changed_at) FROM device) AS times

SELECT MAX(at) FROM (SELECT MAX(reserved_at) AS at FROM certificate UNION ALL SELECT MAX(issued_at) FROM certificate UNION ALL SELECT MAX(delivered_at) FROM certificate UNION ALL SELECT MAX(used_at) FROM certificate UNION ALL SELECT MAX(ended_at) FROM certificate) AS times

SELECT MAX(at) FROM audit

SELECT MAX(at) FROM feed

SELECT MAX(created_at) FROM invitation

SELECT MAX(issued_before) FROM denied_tokens WHERE (kind = $1 AND holder = $2) OR (kind = 'tenant' AND holder IN (SELECT d.tenant FROM device d WHERE d.id = $2)) OR (kind = 'device' AND holder IN (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $2))

SELECT MAX(issued_before) FROM denied_tokens WHERE (kind = 'device' AND holder = $1) OR (kind = 'tenant' AND holder = $2)

SELECT MAX(not_after) FROM certificate WHERE status_place >= $1 AND status_place < $2

SELECT MAX(this_update) FROM crl

SELECT a.id, a.invitation, i.tenant, t.name AS tenant_name, i.site, s.name AS site_name, i.label, a.key_hash, a.request, a.platform, a.address, a.state, a.reason, a.asked_at, a.expires_at FROM approval a JOIN invitation i ON i.id = a.invitation JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site WHERE a.invitation = $1 AND a.key_hash = $2

SELECT a.id, a.invitation, i.tenant, t.name AS tenant_name, i.site, s.name AS site_name, i.label, a.key_hash, a.request, a.platform, a.address, a.state, a.reason, a.asked_at, a.expires_at FROM approval a JOIN invitation i ON i.id = a.invitation JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site WHERE a.state = 'waiting' AND a.expires_at >= $1 ORDER BY a.asked_at, a.id

SELECT a.id, a.thumbprint, a.jwk, a.invitation, a.binding, a.state, a.created_at, (SELECT i.device FROM invitation i WHERE i.id = a.invitation AND EXISTS (SELECT 1 FROM acme_order o WHERE o.account = a.id AND o.key_hash = i.key_hash)) AS device FROM acme_account a WHERE a.id = $1 OR a.thumbprint = $2

SELECT at FROM blocked_key WHERE key_id = $1 OR key_hash = $2 LIMIT 1

SELECT audit_seq, audit_hash, COALESCE((SELECT MAX(seq) FROM audit), 0) FROM head WHERE id = 1

SELECT audit_seq, audit_hash, feed_seq, revocation_log IS NOT NULL AS has_log, log_hash, status_next FROM head WHERE id = 1 FOR UPDATE

SELECT audit_seq, feed_seq FROM head WHERE id = 1

SELECT c.device, c.generation, c.issuer, c.serial FROM blocked_key b JOIN certificate c ON c.key_id = b.key_id OR c.key_hash = b.key_hash LEFT JOIN device d ON d.id = c.device WHERE c.state NOT IN ('retired', 'revoked') AND c.not_after >= $1 AND COALESCE(d.state, 'active') IN ('active', 'suspended') ORDER BY 1, 2 LIMIT $2

SELECT c.device, c.generation, c.issuer, c.serial FROM certificate c JOIN (SELECT issuer, serial FROM certificate GROUP BY issuer, serial HAVING COUNT(*) > 1) twice ON twice.issuer = c.issuer AND twice.serial = c.serial UNION SELECT c.device, c.generation, c.issuer, c.serial FROM certificate c JOIN (SELECT issuer, serial FROM responder UNION ALL SELECT issuer, serial FROM registrar) r ON r.issuer = c.issuer AND r.serial = c.serial ORDER BY 1, 2 LIMIT $1

SELECT c.device, c.generation, c.issuer, c.serial FROM certificate c WHERE c.key_id IN (SELECT k.key_id FROM certificate k WHERE k.der IS NOT NULL GROUP BY k.key_id HAVING COUNT(*) > 1) AND c.der IS NOT NULL ORDER BY c.key_id, c.device, c.generation LIMIT $1

SELECT c.device, d.label, s.name AS site_name, c.generation, c.not_before, c.not_after FROM certificate c JOIN device d ON d.id = c.device JOIN site s ON s.id = d.site JOIN tenant t ON t.id = d.tenant WHERE c.not_after < $1 AND c.state IN ('issued', 'delivered', 'in_use') AND d.state = 'active' AND (t.state = 'active' OR d.role = 'gate') AND NOT EXISTS (SELECT 1 FROM certificate n WHERE n.device = c.device AND n.generation > c.generation AND n.state = 'in_use') ORDER BY c.not_after

SELECT c.device, d.tenant, c.serial, c.parent FROM certificate c JOIN device d ON d.id = c.device WHERE c.thumbprint = $1

SELECT c.generation, c.state FROM certificate c JOIN certificate f ON f.device = c.device WHERE c.device = $1 AND f.thumbprint = $2 AND f.state IN ('issued', 'delivered', 'in_use') AND c.generation >= f.generation ORDER BY c.generation

SELECT c.issuer, c.serial, c.shard, c.device, c.generation, c.parent, c.state, c.key_hash, c.tbs, c.der, c.thumbprint, c.not_before, c.not_after, c.reserved_at, c.issued_at, c.retire_at, c.ended_at, c.reason, d.state AS device_state, d.role, d.label, s.name AS site_name FROM certificate c LEFT JOIN device d ON d.id = c.device LEFT JOIN site s ON s.id = d.site WHERE (c.device, c.generation) > ($1, $2) ORDER BY c.device, c.generation LIMIT $3

SELECT c.issuer, c.shard, c.serial, c.thumbprint, c.not_after, c.generation, c.device, c.reason FROM site s JOIN device d ON d.site = s.id JOIN certificate c ON c.device = d.id WHERE s.tenant = $1 AND d.role = 'device' AND d.state = 'active' AND c.not_after >= $2 AND c.state NOT IN ('retired', 'revoked') ORDER BY c.device, c.generation

SELECT c.serial, c.state, c.reason, c.ended_at, d.state AS device_state, d.reason AS device_reason, d.changed_at, d.role, t.state AS tenant_state, t.changed_at AS tenant_changed_at FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE c.issuer = $1 AND c.shard = $2 AND c.not_after >= $3 AND c.state IN ('retired', 'revoked') UNION ALL SELECT c.serial, c.state, c.reason, c.ended_at, d.state, d.reason, d.changed_at, d.role, t.state, t.changed_at FROM device d CROSS JOIN certificate c JOIN tenant t ON t.id = d.tenant WHERE c.device = d.id AND d.state <> 'active' AND c.issuer = $1 AND c.shard = $2 AND c.not_after >= $3 AND c.state NOT IN ('retired', 'revoked') UNION ALL SELECT c.serial, c.state, c.reason, c.ended_at, d.state, d.reason, d.changed_at, d.role, t.state, t.changed_at FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c WHERE t.state <> 'active' AND s.tenant = t.id AND d.site = s.id AND d.tenant = t.id AND c.device = d.id AND d.state = 'active' AND d.role = 'device' AND c.issuer = $1 AND c.shard = $2 AND c.not_after >= $3 AND c.state NOT IN ('retired', 'revoked')

SELECT c.serial, c.state, c.reason, c.ended_at, d.state AS device_state, d.reason AS device_reason, d.changed_at, d.role, t.state AS tenant_state, t.changed_at AS tenant_changed_at, d.id AS device, d.tenant, c.thumbprint, c.not_after FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE c.issuer = $1 AND c.serial = $2 AND (c.der IS NOT NULL OR c.state = 'revoked' OR d.state <> 'active' OR (t.state <> 'active' AND d.role = 'device'))

SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, d.state AS device_state, t.state AS tenant_state, d.role FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE c.device = $1 AND c.status_place IS NOT NULL

SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, d.state AS device_state, t.state AS tenant_state, d.role FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE c.state IN ('retired', 'revoked') AND c.thumbprint IS NOT NULL AND c.status_place IS NOT NULL UNION ALL SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, d.state AS device_state, t.state AS tenant_state, d.role FROM device d CROSS JOIN certificate c JOIN tenant t ON t.id = d.tenant WHERE c.device = d.id AND d.state <> 'active' AND c.status_place IS NOT NULL AND (c.state NOT IN ('retired', 'revoked') OR c.thumbprint IS NULL) UNION ALL SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, d.state AS device_state, t.state AS tenant_state, d.role FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c WHERE t.state <> 'active' AND s.tenant = t.id AND d.site = s.id AND d.tenant = t.id AND c.device = d.id AND d.state = 'active' AND d.role = 'device' AND c.status_place IS NOT NULL AND (c.state NOT IN ('retired', 'revoked') OR c.thumbprint IS NULL) UNION ALL SELECT b.place, 'revoked', 'active', 'active', 'device' FROM burned_status b

SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, d.state AS device_state, t.state AS tenant_state, d.role FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE c.thumbprint = $1 AND c.status_place IS NOT NULL

SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, d.state AS device_state, t.state AS tenant_state, d.role FROM site s CROSS JOIN device d CROSS JOIN certificate c CROSS JOIN tenant t WHERE s.tenant = $1 AND d.site = s.id AND c.device = d.id AND t.id = d.tenant AND d.role = 'device' AND c.status_place IS NOT NULL

SELECT c.thumbprint, c.serial, c.device, c.generation, d.role, d.tenant, d.site, d.state AS device_state, t.state AS tenant_state, c.state, c.not_before, c.not_after, c.status_place FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE c.thumbprint = $1

SELECT contact, product_link FROM site WHERE tenant = $1 AND id = $2

SELECT contact, product_link FROM tenant WHERE id = $1

SELECT created_at FROM token_family WHERE id = $1 AND device = $2 AND state = 'living' AND idle_until > $3 AND expires_at > $3 AND created_at <= $4 AND EXISTS (SELECT 1 FROM device d WHERE d.id = $2 AND d.state = 'active')

SELECT created_at, done_at, handed_over_at FROM invitation_list WHERE id = $1 AND client = $2

SELECT d.id FROM device d JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site WHERE d.id = $1 AND (d.role <> 'device' OR ((s.places IS NULL OR s.places >= (SELECT COUNT(*) FROM device o WHERE o.site = s.id AND o.role = 'device' AND o.state IN ('active', 'suspended') AND (NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id) OR EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id AND k.not_after >= $2 AND k.state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring'))))) AND (t.places IS NULL OR t.places >= (SELECT COUNT(*) FROM site h JOIN device o ON o.site = h.id WHERE h.tenant = t.id AND o.role = 'device' AND o.state IN ('active', 'suspended') AND (NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id) OR EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id AND k.not_after >= $2 AND k.state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring')))))))

SELECT d.id FROM device d JOIN tenant t ON t.id = d.tenant WHERE d.id = $1 AND d.role = 'device' AND t.state <> 'active'

SELECT d.id FROM device d WHERE d.id = $2 AND $1 = 'device' UNION ALL SELECT t.id FROM tenant t WHERE t.id = $2 AND $1 = 'tenant'

SELECT d.id, d.label, d.state, t.state AS tenant_state, d.platform, d.changed_at, COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id)) AS seen_at FROM device d JOIN tenant t ON t.id = d.tenant WHERE d.site = $1 AND d.role = 'device' AND d.state <> 'retired' ORDER BY d.label, d.id LIMIT $2

SELECT d.id, d.state, d.generation, (SELECT COUNT(*) FROM certificate c WHERE c.device = d.id) AS certificates, (SELECT MAX(c.generation) FROM certificate c WHERE c.device = d.id) AS newest, EXISTS (SELECT 1 FROM site s WHERE s.id = d.site AND s.tenant = d.tenant) AS is_placed FROM device d WHERE d.id > $1 ORDER BY d.id LIMIT $2

SELECT d.id, d.tenant, t.name AS tenant_name, t.state AS tenant_state, COALESCE(t.changed_at, t.created_at) AS tenant_changed_at, d.site, s.name AS site_name, d.role, d.label, d.state, d.reason, d.generation, d.created_at, d.changed_at FROM device d JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site WHERE d.id = $1

SELECT d.id, d.tenant, t.name AS tenant_name, t.state AS tenant_state, COALESCE(t.changed_at, t.created_at) AS tenant_changed_at, d.site, s.name AS site_name, d.role, d.label, d.state, d.reason, d.generation, d.created_at, d.changed_at FROM device d JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site WHERE d.id LIKE $1 ESCAPE '!' ORDER BY d.id LIMIT 2

SELECT d.id, d.tenant, t.name AS tenant_name, t.state AS tenant_state, COALESCE(t.changed_at, t.created_at) AS tenant_changed_at, d.site, s.name AS site_name, d.role, d.label, d.state, d.reason, d.generation, d.created_at, d.changed_at, COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id)) AS seen_at FROM tenant t CROSS JOIN site s CROSS JOIN device d WHERE s.tenant = t.id AND d.site = s.id AND ($1 IS NULL OR t.id = $1) AND ($2 IS NULL OR s.id = $2) AND ($3 IS NULL OR COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id), d.created_at) < $3) ORDER BY t.name, s.name, d.label, d.id

SELECT d.site, d.role, d.state, t.state AS tenant_state, t.loss_reports FROM device d JOIN tenant t ON t.id = d.tenant WHERE d.id = $1

SELECT day, tokens, refreshed, first_at, last_at FROM token_day WHERE holder = $1 ORDER BY day DESC LIMIT $2

SELECT device FROM certificate WHERE key_id = $1 AND (der IS NOT NULL OR device <> $2 OR (state = 'reserved' AND reserved_at > $3)) LIMIT 1

SELECT device, generation FROM certificate WHERE key_id = $1 ORDER BY device, generation

SELECT device, generation FROM certificate WHERE thumbprint = $1

SELECT done_at FROM invitation_list WHERE id = $1 AND client = $2

SELECT feed_seq, audit_seq FROM head WHERE id = 1

SELECT folded, pruned FROM audit_retention WHERE id = 1

SELECT granted_at FROM licence WHERE tenant = $1 AND product = $2 AND site IS NULL UNION ALL SELECT granted_at FROM licence WHERE site = $3 AND product = $2 AND tenant = $1 LIMIT 1

SELECT holder, public_key FROM scep_transaction WHERE id = $1 ORDER BY created_at LIMIT 16

SELECT i.expires_at, (SELECT COUNT(*) FROM approval a WHERE a.invitation = i.id AND a.state = 'waiting' AND a.expires_at >= $2), (SELECT COUNT(*) FROM approval a JOIN invitation o ON o.id = a.invitation WHERE o.site = i.site AND a.state = 'waiting' AND a.expires_at >= $2) FROM invitation i WHERE i.id = $1 AND i.state = 'open' AND i.expires_at >= $2

SELECT i.id FROM invitation i WHERE i.id = $1 AND i.kitting IS NULL AND i.state = 'claimed' AND EXISTS (SELECT 1 FROM device d WHERE d.id = i.device AND d.state = 'active') AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.device = i.device AND (c.used_at IS NOT NULL OR c.state IN ('in_use', 'retiring', 'retired') OR (c.state = 'revoked' AND c.reason <> 'superseded')))

SELECT i.id, i.tenant, t.name AS tenant_name, t.state AS tenant_state, i.site, s.name AS site_name, i.role, i.label, i.state, i.expires_at, i.key_hash, i.device, i.code_hash, t.policy AS tenant_policy, s.policy AS site_policy FROM invitation i JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site WHERE i.id = $1

SELECT i.id, i.tenant, t.name AS tenant_name, t.state AS tenant_state, i.site, s.name AS site_name, i.role, i.label, i.state, i.expires_at, i.key_hash, i.device, i.code_hash, t.policy AS tenant_policy, s.policy AS site_policy FROM invitation i JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site WHERE i.short_hash = $1 AND i.short_until >= $2

SELECT i.kitting_number AS number, i.id AS invitation, i.label, i.created_at AS taken_at, i.device, (SELECT COUNT(*) FROM approval a WHERE a.invitation = i.id AND a.state = 'waiting') AS waiting, d.state AS device_state, (SELECT COUNT(*) FROM certificate c WHERE c.device = i.device AND c.used_at IS NOT NULL) AS used FROM invitation i LEFT JOIN device d ON d.id = i.device WHERE i.kitting = $1 AND i.state <> 'withdrawn' ORDER BY i.kitting_number

SELECT i.label FROM invitation i LEFT JOIN device d ON d.id = i.device WHERE i.kitting = $1 AND i.state <> 'withdrawn' AND (d.state IS NULL OR d.state NOT IN ('revoked', 'retired'))

SELECT id AS tenant, NULL AS site, policy FROM tenant WHERE policy IS NOT NULL UNION ALL SELECT tenant, id, policy FROM site WHERE policy IS NOT NULL

SELECT id FROM acme_account WHERE thumbprint = $1

SELECT id FROM acme_order WHERE account = $1 AND certificate = $2 LIMIT 1

SELECT id FROM invitation_list WHERE id = $1 AND client = $2

SELECT id FROM site WHERE tenant = $1 AND id = $2

SELECT id FROM tenant WHERE id = $1

SELECT id FROM tenant WHERE issuing = 'silo' ORDER BY id

SELECT id FROM tenant WHERE state <> 'active'

SELECT id FROM tenant WHERE state <> 'active' ORDER BY id

SELECT id, account, invitation, kind, identifier, token, state, authorization_state, attested_key, key_hash, replaces, certificate, expires_at FROM acme_order WHERE id = $1

SELECT id, client FROM invitation_list WHERE done_at IS NULL ORDER BY created_at, id

SELECT id, device, audience, subject, scope, state, idle_until, expires_at FROM token_family WHERE id = $1

SELECT id, kind, custody, certificate, parent, tenant, shards, state, reason, ended_at FROM issuer ORDER BY created_at, id

SELECT id, name, issuing, state FROM tenant ORDER BY name

SELECT id, request_hash FROM invitation_list WHERE client = $1 AND idempotency_key = $2

SELECT id, seq, issued, status, status_reason, held, failing_since, failures, failure, rejections, rejection, dropped, heard_at, verified_at, (SELECT COUNT(*) FROM receiver_notice n WHERE n.receiver = receiver.id) AS waiting FROM receiver ORDER BY id

SELECT id, seq, issued, status, status_reason, held, failing_since, failures, failure, rejections, rejection, dropped, heard_at, verified_at, (SELECT COUNT(*) FROM receiver_notice n WHERE n.receiver = receiver.id) AS waiting FROM receiver WHERE id = $1

SELECT id, state FROM device WHERE state <> 'active'

SELECT id, state, reason, ended_at FROM issuer WHERE state <> 'active' ORDER BY id

SELECT id, tenant, name FROM site WHERE tenant = $1 ORDER BY name

SELECT issuer, serial, shard, device, generation, parent, state, key_hash, tbs, der, not_before, not_after, reserved_at FROM certificate WHERE (device, generation) > ($1, $2) ORDER BY device, generation LIMIT $3

SELECT issuer, serial, shard, device, generation, parent, state, key_hash, tbs, der, not_before, not_after, reserved_at FROM certificate WHERE device = $1 ORDER BY generation

SELECT issuer, serial, tbs, der, not_after, reserved_at FROM responder WHERE not_after > $1 UNION ALL SELECT issuer, serial, tbs, der, not_after, reserved_at FROM registrar WHERE not_after > $1 ORDER BY 1, 6

SELECT issuer, shard, serial, thumbprint, not_after, generation, device, reason FROM certificate WHERE device = $1 AND not_after >= $2 AND state NOT IN ('retired', 'revoked') ORDER BY generation

SELECT issuer, shard, serial, thumbprint, not_after, generation, device, reason FROM certificate WHERE thumbprint = $1

SELECT jti, until FROM denied_token WHERE until >= $1

SELECT jti, until FROM granted_token WHERE family = $1 AND until > $2 ORDER BY jti

SELECT k.id, k.tenant, t.name AS tenant_name, t.state AS tenant_state, k.site, s.name AS site_name, k.label, k.places, k.per_minute, k.networks, k.state, k.created_at, k.expires_at, (SELECT COUNT(*) FROM invitation i WHERE i.kitting = k.id AND i.state <> 'withdrawn') AS taken FROM kitting k JOIN tenant t ON t.id = k.tenant JOIN site s ON s.id = k.site WHERE k.id = $1

SELECT k.id, k.tenant, t.name AS tenant_name, t.state AS tenant_state, k.site, s.name AS site_name, k.label, k.places, k.per_minute, k.networks, k.state, k.created_at, k.expires_at, (SELECT COUNT(*) FROM invitation i WHERE i.kitting = k.id AND i.state <> 'withdrawn') AS taken FROM kitting k JOIN tenant t ON t.id = k.tenant JOIN site s ON s.id = k.site WHERE k.id = $1 OR k.code_hash = $2

SELECT key_hash, key_id, note, at FROM blocked_key ORDER BY at, key_hash

SELECT key_hash, note, at FROM blocked_key ORDER BY at, key_hash

SELECT key_hash, tbs FROM certificate WHERE key_id IS NULL UNION ALL SELECT key_hash, (SELECT c.tbs FROM certificate c WHERE c.key_hash = b.key_hash LIMIT 1) AS tbs FROM blocked_key b WHERE b.key_id IS NULL LIMIT $1

SELECT key_id FROM certificate WHERE key_hash = $1 AND key_id IS NOT NULL LIMIT 1

SELECT kind, holder, issued_before, until FROM denied_tokens WHERE until >= $1

SELECT kitting_number, id FROM invitation WHERE kitting = $1 AND key_hash = $2 AND state <> 'withdrawn'

SELECT l.number, l.site, s.name AS site_name, l.label, l.state, l.refusal, l.hidden, l.invitation, i.state AS invitation_state, i.device, i.expires_at FROM invitation_line l LEFT JOIN site s ON s.id = l.site LEFT JOIN invitation i ON i.id = l.invitation WHERE l.list = $1 ORDER BY l.number

SELECT l.number, l.tenant, l.site, l.label, j.life FROM invitation_line l JOIN invitation_list j ON j.id = l.list WHERE l.list = $1 AND l.state = 'waiting' ORDER BY l.number LIMIT $2

SELECT l.serial, l.ended_at, l.reason FROM lost_certificate l WHERE l.issuer = $1 AND l.shard = $2 AND l.not_after >= $3 AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.issuer = l.issuer AND c.serial = l.serial)

SELECT line, number, kind FROM receiver_ack WHERE receiver = $1

SELECT log_hash FROM head WHERE id = 1

SELECT loss_reports FROM tenant WHERE id = $1

SELECT not_after FROM responder WHERE issuer = $1 AND serial = $2 AND der IS NOT NULL UNION ALL SELECT not_after FROM registrar WHERE issuer = $1 AND serial = $2 AND der IS NOT NULL

SELECT number FROM crl WHERE issuer = $1 AND shard = $2

SELECT number, kind, payload FROM receiver_notice WHERE receiver = $1 ORDER BY number

SELECT number, revision, this_update, next_update, der FROM crl WHERE issuer = $1 AND shard = $2

SELECT pg_advisory_lock($1)

SELECT pg_advisory_unlock($1)

SELECT place FROM burned_status WHERE seq = $1

SELECT policy FROM site WHERE tenant = $1 AND id = $2

SELECT policy FROM tenant WHERE id = $1

SELECT product, tenant, site, granted_at FROM licence ORDER BY product, tenant, CASE WHEN site IS NULL THEN 0 ELSE 1 END, site

SELECT public_key FROM scep_transaction WHERE id = $1 AND holder = $2

SELECT r.label AS reporter, l.at FROM loss_report l JOIN device d ON d.id = l.device JOIN device r ON r.id = l.reporter WHERE l.device = $1 AND l.at = d.changed_at AND d.state = 'suspended'

SELECT reason FROM device WHERE id = $1

SELECT revocation_log FROM head WHERE id = 1

SELECT s.contact, s.product_link, t.contact, t.product_link FROM site s JOIN tenant t ON t.id = s.tenant WHERE s.id = $1

SELECT s.number, s.revision, c.number AS crl_number, c.revision AS crl_revision, c.this_update, c.next_update FROM shard s LEFT JOIN crl c ON c.issuer = s.issuer AND c.shard = s.number WHERE s.issuer = $1 ORDER BY s.number

SELECT seq, at, change FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2

SELECT seq, at, device, entry, hash, CAST(NULL AS BIGINT) AS last, CAST(NULL AS BIGINT) AS founded_by FROM audit WHERE seq > $1 UNION ALL SELECT first AS seq, 0 AS at, NULL AS device, '' AS entry, hash, last, entry AS founded_by FROM audit_gap WHERE first > $1 ORDER BY 1 LIMIT $2

SELECT seq, at, entry FROM audit WHERE device = $1 AND entry LIKE $2 ESCAPE '!' AND entry LIKE $3 ESCAPE '!' ORDER BY seq DESC LIMIT 1

SELECT seq, at, entry FROM audit WHERE device = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3

SELECT seq, at, entry FROM audit WHERE device = $1 ORDER BY seq DESC LIMIT $2

SELECT seq, at, entry FROM audit WHERE device IS NULL AND entry LIKE $1 ESCAPE '!' AND entry LIKE $2 ESCAPE '!' ORDER BY seq DESC LIMIT 1

SELECT seq, at, entry FROM audit WHERE seq > $1 AND seq <= $2 AND entry LIKE '%"action":"certificate.issued"%' ORDER BY seq

SELECT seq, at, entry FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2

SELECT serial, der, sealed_key, not_after FROM registrar WHERE issuer = $1 AND der IS NOT NULL AND not_after >= $2 AND reserved_at <= $3 ORDER BY not_after, serial

SELECT serial, ended_at, reason FROM lost_certificate WHERE issuer = $1 AND serial = $2

SELECT state FROM approval WHERE invitation = $1 AND key_hash = $2

SELECT state, key_hash, expires_at FROM invitation WHERE id = $1

SELECT status_next, status_secret FROM head WHERE id = 1

SELECT surface, seq, applied_at, seen_at FROM receipt ORDER BY surface

SELECT thumbprint, state, not_after FROM certificate WHERE state IN ('retired', 'revoked') AND thumbprint IS NOT NULL AND not_after >= $1 UNION ALL SELECT l.thumbprint, CASE WHEN l.reason IS NULL THEN 'suspended' ELSE 'revoked' END, l.not_after FROM lost_certificate l WHERE l.thumbprint IS NOT NULL AND l.not_after >= $1 AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.thumbprint = l.thumbprint)

UPDATE acme_account SET state = 'deactivated' WHERE id = $1 AND state = 'valid'

UPDATE acme_account SET thumbprint = $3, jwk = $4 WHERE id = $1 AND thumbprint = $2 AND state = 'valid'

UPDATE acme_order SET key_hash = $2 WHERE id = $1 AND state = 'ready' AND expires_at >= $3 AND (key_hash IS NULL OR key_hash = $2) AND (attested_key IS NULL OR attested_key = $2)

UPDATE acme_order SET state = 'invalid', authorization_state = 'deactivated' WHERE account = $1 AND state IN ('pending', 'ready')

UPDATE acme_order SET state = 'ready', authorization_state = 'valid', attested_key = $2 WHERE id = $1 AND state = 'pending' AND expires_at >= $3

UPDATE acme_order SET state = 'valid', certificate = $2 WHERE id = $1 AND state = 'ready' AND key_hash = (SELECT c.key_hash FROM certificate c WHERE c.thumbprint = $2 AND c.device = $3)

UPDATE approval SET key_hash = $2, request = $3 WHERE id = $1 AND state = 'granted' AND EXISTS (SELECT 1 FROM invitation i WHERE i.id = approval.invitation AND i.state = 'open') AND NOT EXISTS (SELECT 1 FROM approval o WHERE o.invitation = approval.invitation AND o.key_hash = $2)

UPDATE approval SET state = 'declined', reason = $2, decided_at = $3 WHERE id = $1 AND state = 'waiting'

UPDATE approval SET state = 'granted', decided_at = $2 WHERE id = $1 AND state = 'waiting' AND expires_at >= $2 AND EXISTS (SELECT 1 FROM invitation i WHERE i.id = approval.invitation AND i.state = 'open') AND NOT EXISTS (SELECT 1 FROM approval o WHERE o.invitation = approval.invitation AND o.state = 'granted')

UPDATE audit SET at = at + 1 WHERE seq = 4

UPDATE audit SET at = at - 1 WHERE seq = 4

UPDATE audit SET device = NULL WHERE seq = 5 AND device IS NOT NULL

UPDATE audit SET entry = REPLACE(entry, 'operator:test', 'operator:else') WHERE seq = 2

UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 1) WHERE seq = 3

UPDATE audit_gap SET entry = entry + 1

UPDATE audit_gap SET entry = entry - 1

UPDATE audit_gap SET last = last + 1

UPDATE audit_gap SET last = last - 1

UPDATE audit_retention SET folded = $2 WHERE id = 1 AND folded = $1

UPDATE audit_retention SET pruned = $2 WHERE id = 1 AND pruned = $1

UPDATE blocked_key SET key_id = $2 WHERE key_hash = $1 AND key_id IS NULL

UPDATE certificate SET key_id = $2 WHERE key_hash = $1 AND key_id IS NULL

UPDATE certificate SET key_id = (SELECT c.key_id FROM certificate c WHERE c.generation = 1)

UPDATE certificate SET key_id = NULL

UPDATE certificate SET state = $3, reason = $4, ended_at = $5, thumbprint = COALESCE(thumbprint, $6) WHERE issuer = $1 AND serial = $2 AND state <> 'revoked'

UPDATE certificate SET state = 'delivered', delivered_at = $2 WHERE thumbprint = $1 AND state = 'issued' RETURNING device

UPDATE certificate SET state = 'in_use', used_at = $2 WHERE thumbprint = $1 AND state IN ('issued', 'delivered') RETURNING device, generation

UPDATE certificate SET state = 'issued', der = $3, thumbprint = $4, issued_at = $5 WHERE issuer = $1 AND serial = $2 AND device = $6 AND state = 'reserved'

UPDATE certificate SET state = 'retired', ended_at = $1, reason = 'superseded' WHERE state = 'retiring' AND retire_at <= $1 RETURNING device, thumbprint, generation, not_after, issuer, shard

UPDATE certificate SET state = 'retiring', retire_at = $3 WHERE device = $1 AND generation < $2 AND state IN ('issued', 'delivered', 'in_use')

UPDATE certificate SET state = 'revoked', ended_at = $2, reason = 'superseded' WHERE state = 'reserved' AND reserved_at < $1 RETURNING device, generation, issuer, shard

UPDATE certificate SET state = 'revoked', reason = $2, ended_at = $3 WHERE issuer = $1 AND serial IN (SELECT c.serial FROM certificate c WHERE c.issuer = $1 AND c.not_after >= $3 AND c.state NOT IN ('retired', 'revoked') ORDER BY c.serial LIMIT $4) RETURNING device, generation, serial, thumbprint, not_after, issuer, shard

UPDATE certificate SET state = 'revoked', reason = 'superseded', ended_at = $3 WHERE device = $1 AND generation > $2 AND state IN ('reserved', 'issued', 'delivered') RETURNING generation, serial, thumbprint, not_after

UPDATE certificate SET status_place = $1 + n.number FROM (SELECT c.issuer, c.serial, ROW_NUMBER() OVER (ORDER BY c.status_place, c.issuer, c.serial) - 1 AS number FROM certificate c WHERE c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.device = $2 AND NOT EXISTS (SELECT 1 FROM device d JOIN denied_tokens k ON k.kind = 'tenant' AND k.holder = d.tenant WHERE d.id = $2 AND k.issued_before >= $3)) AS n WHERE certificate.issuer = n.issuer AND certificate.serial = n.serial

UPDATE certificate SET status_place = $1 + n.number FROM (SELECT c.issuer, c.serial, ROW_NUMBER() OVER (ORDER BY c.status_place, c.issuer, c.serial) - 1 AS number FROM certificate c WHERE c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.device IN (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $2 AND d.role = 'device' AND NOT EXISTS (SELECT 1 FROM denied_tokens k WHERE k.kind = 'device' AND k.holder = d.id AND k.issued_before >= $3))) AS n WHERE certificate.issuer = n.issuer AND certificate.serial = n.serial

UPDATE device SET generation = generation + 1 WHERE id = $1 AND state = 'active' RETURNING generation

UPDATE device SET seen_at = $2, platform = COALESCE($3, platform) WHERE id = $1 AND (seen_at IS NULL OR seen_at < $2 OR seen_at > $4)

UPDATE device SET state = $2, reason = $3, changed_at = $4 WHERE id = $1

UPDATE device SET state = $3, reason = $4, changed_at = $5, cause = $6 WHERE id = $1 AND state = $2

UPDATE head SET audit_seq = $1, audit_hash = $2, feed_seq = $3, log_hash = $4, status_next = $5 WHERE id = 1 RETURNING CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)

UPDATE head SET audit_seq = audit_seq - 1, audit_hash = (SELECT hash FROM audit WHERE seq = audit_seq - 1)

UPDATE head SET revocation_log = $1 WHERE id = 1

UPDATE head SET revocation_log = NULL, log_hash = NULL

UPDATE head SET status_secret = $1 WHERE id = 1 AND status_secret IS NULL

UPDATE head SET status_secret = NULL WHERE id = 1

UPDATE invitation SET key_hash = $2 WHERE id = $1 AND device = $3 AND expires_at >= $4 AND invitation.state = 'claimed' AND EXISTS (SELECT 1 FROM device d WHERE d.id = invitation.device AND d.state = 'active') AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.device = invitation.device AND (c.used_at IS NOT NULL OR c.state IN ('in_use', 'retiring', 'retired') OR (c.state = 'revoked' AND c.reason <> 'superseded')))

UPDATE invitation SET short_hash = $2, short_until = $3 WHERE id = $1 AND state = 'open' AND NOT EXISTS (SELECT 1 FROM invitation o WHERE o.short_hash = $2 AND o.id <> $1)

UPDATE invitation SET short_hash = NULL WHERE short_hash = $1 AND short_until < $2

UPDATE invitation SET state = 'claimed' WHERE id = $1 AND state = 'claimed' AND key_hash = $2 AND device = $3 AND expires_at >= $4

UPDATE invitation SET state = 'claimed', key_hash = $2, device = $3 WHERE id = $1 AND state = 'open' AND expires_at >= $4 AND EXISTS (SELECT 1 FROM device d WHERE d.id = $3 AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label)

UPDATE invitation SET state = 'withdrawn' WHERE id = $1 AND state = 'open'

UPDATE invitation SET state = 'withdrawn' WHERE id = $1 AND state = 'open' AND kitting IS NOT NULL

UPDATE invitation SET state = 'withdrawn' WHERE kitting = $1 AND state = 'open'

UPDATE invitation SET state = 'withdrawn' WHERE kitting = $1 AND state = 'open' AND created_at < $2 AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.invitation = invitation.id AND a.state <> 'declined' AND a.expires_at >= $3)

UPDATE invitation SET state = 'withdrawn' WHERE state = 'open' AND id IN (SELECT invitation FROM invitation_line WHERE list = $1)

UPDATE invitation_line SET state = $3, refusal = $4, invitation = $5 WHERE list = $1 AND number = $2 AND state = 'waiting'

UPDATE invitation_line SET state = 'refused', refusal = $2 WHERE list = $1 AND state = 'waiting'

UPDATE invitation_list SET done_at = $2 WHERE id = $1 AND done_at IS NULL

UPDATE invitation_list SET handed_over_at = $3 WHERE id = $1 AND client = $2 AND done_at IS NOT NULL AND handed_over_at IS NULL

UPDATE issuer SET state = $2, reason = $3, ended_at = $4 WHERE id = $1 AND state <> $2 AND (state = 'active' OR (state = 'resting' AND $2 IN ('retired', 'revoked')))

UPDATE issuer SET state = $3, reason = $4, ended_at = $5 WHERE id = $1 AND state = $2

UPDATE kitting SET state = 'ended' WHERE id = $1 AND state = 'open'

UPDATE receiver SET failures = 0, failing_since = NULL, failure = NULL WHERE id = $1 AND failures > 0

UPDATE receiver SET failures = failures + 1, failure = $2, failing_since = COALESCE(failing_since, $3) WHERE id = $1

UPDATE receiver SET heard_at = $2 WHERE id = $1

UPDATE receiver SET issued = $2 WHERE id = $1 AND ((issued IS NULL AND $3 = 1) OR (issued IS NOT NULL AND $3 = 0))

UPDATE receiver SET notices = notices + 1 WHERE id = $1

UPDATE receiver SET rejections = rejections + $2, rejection = $3 WHERE id = $1

UPDATE receiver SET sender = $2, sender_until = $3 WHERE id = $1 AND (sender = $2 OR sender_until < $4 OR sender_until > $5)

UPDATE receiver SET sender_until = $3 WHERE id = $1 AND sender = $2

UPDATE receiver SET seq = CASE WHEN seq < $2 THEN $2 ELSE seq END, issued = CASE WHEN issued < $3 THEN $3 ELSE issued END WHERE id = $1

UPDATE receiver SET status = $2, status_reason = $3, held = $4 WHERE id = $1

UPDATE receiver SET verified_at = $2 WHERE id = $1

UPDATE registrar SET der = $3 WHERE issuer = $1 AND serial = $2 AND der IS NULL

UPDATE shard SET revision = revision + 1 WHERE (issuer, number) IN (SELECT c.issuer, c.shard FROM certificate c WHERE c.device = $1)

UPDATE shard SET revision = revision + 1 WHERE (issuer, number) IN (SELECT c.issuer, c.shard FROM site s JOIN device d ON d.site = s.id JOIN certificate c ON c.device = d.id WHERE s.tenant = $1 AND d.role = 'device')

UPDATE shard SET revision = revision + 1 WHERE issuer = $1 AND number = $2

UPDATE shard SET revision = revision + 1 WHERE number = 0 AND issuer = (SELECT i.parent FROM issuer i WHERE i.id = $1)

UPDATE site SET contact = $1, product_link = $2 WHERE tenant = $3 AND id = $4

UPDATE site SET policy = $1, places = $2 WHERE tenant = $3 AND id = $4

UPDATE tenant SET contact = $1, product_link = $2 WHERE id = $3

UPDATE tenant SET issuing = $2 WHERE id = $1

UPDATE tenant SET loss_reports = $2 WHERE id = $1 AND loss_reports <> $2

UPDATE tenant SET policy = $1, places = $2 WHERE id = $3

UPDATE tenant SET state = $2, changed_at = $3 WHERE id = $1 AND state <> $2

UPDATE token_family SET previous_hash = current_hash, current_hash = $4, idle_until = $5 WHERE id = $1 AND device = $2 AND previous_hash = $3 AND previous_until > $6 AND state = 'living' AND idle_until > $6 AND expires_at > $6 AND created_at <= $7 AND EXISTS (SELECT 1 FROM device d WHERE d.id = $2 AND d.state = 'active')

UPDATE token_family SET previous_hash = current_hash, previous_until = $5, current_hash = $4, idle_until = $6 WHERE id = $1 AND device = $2 AND current_hash = $3 AND state = 'living' AND idle_until > $7 AND expires_at > $7 AND created_at <= $8 AND EXISTS (SELECT 1 FROM device d WHERE d.id = $2 AND d.state = 'active')

UPDATE token_family SET state = 'ended', reason = $3, previous_hash = NULL WHERE id = $1 AND device = $2 AND state = 'living'

UPDATE token_family SET state = 'ended', reason = $3, previous_hash = NULL WHERE state = 'living' AND created_at < $2 AND (device = $1 OR device IN (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $1))

UPDATE token_family SET state = 'ended', reason = 'restored' WHERE state = 'living'

WITH RECURSIVE heir (device, generation) AS (SELECT device, generation FROM certificate WHERE state = 'revoked' AND reason = 'key_compromise' UNION SELECT c.device, c.generation FROM certificate c JOIN heir ON c.device = heir.device AND c.parent = heir.generation) SELECT c.device, c.generation, c.issuer, c.serial FROM heir JOIN certificate c ON c.device = heir.device AND c.generation = heir.generation JOIN device d ON d.id = c.device WHERE c.state NOT IN ('retired', 'revoked') AND c.not_after >= $1 AND d.state IN ('active', 'suspended') ORDER BY 1, 2 LIMIT $2

WITH RECURSIVE line (generation, depth) AS (SELECT CAST($2 AS BIGINT), CAST(0 AS BIGINT) UNION ALL SELECT c.generation, line.depth + 1 FROM certificate c JOIN line ON c.parent = line.generation WHERE c.device = $1 AND line.depth < $5) UPDATE certificate SET state = 'revoked', reason = $3, ended_at = $4, cause = $6 WHERE device = $1 AND state <> 'revoked' AND generation IN (SELECT generation FROM line) RETURNING device, generation, serial, thumbprint, not_after, issuer, shard

WITH asked (hash) AS (VALUES ($1)) SELECT i.id, i.tenant, t.name AS tenant_name, t.state AS tenant_state, i.site, s.name AS site_name, i.role, i.label, i.state, i.expires_at, i.key_hash, i.device, i.code_hash, t.policy AS tenant_policy, s.policy AS site_policy FROM invitation i JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site JOIN asked a ON a.hash = i.code_hash

WITH asked (hash) AS (VALUES ($1), ($2), ($3), ($4), ($5), ($6), ($7), ($8)) SELECT i.id, i.tenant, t.name AS tenant_name, t.state AS tenant_state, i.site, s.name AS site_name, i.role, i.label, i.state, i.expires_at, i.key_hash, i.device, i.code_hash, t.policy AS tenant_policy, s.policy AS site_policy FROM invitation i JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site JOIN asked a ON a.hash = i.code_hash

WITH asked (hash) AS (VALUES ($1), ($2), ($3), ($4), ($5), ($6), ($7), ($8), ($9), ($10), ($11), ($12), ($13), ($14), ($15), ($16), ($17), ($18), ($19), ($20), ($21), ($22), ($23), ($24), ($25), ($26), ($27), ($28), ($29), ($30), ($31), ($32), ($33), ($34), ($35), ($36), ($37), ($38), ($39), ($40), ($41), ($42), ($43), ($44), ($45), ($46), ($47), ($48), ($49), ($50), ($51), ($52), ($53), ($54), ($55), ($56), ($57), ($58), ($59), ($60), ($61), ($62), ($63), ($64)) SELECT i.id, i.tenant, t.name AS tenant_name, t.state AS tenant_state, i.site, s.name AS site_name, i.role, i.label, i.state, i.expires_at, i.key_hash, i.device, i.code_hash, t.policy AS tenant_policy, s.policy AS site_policy FROM invitation i JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site JOIN asked a ON a.hash = i.code_hash

WITH new (first, last, hash, entry) AS (VALUES ($1, $2, $3, $4)) INSERT INTO audit_gap (first, last, hash, entry) SELECT first, last, hash, entry FROM new WHERE first IS NOT NULL

WITH new (first, last, hash, entry) AS (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8)) INSERT INTO audit_gap (first, last, hash, entry) SELECT first, last, hash, entry FROM new WHERE first IS NOT NULL

WITH new (holder, day, tokens, refreshed, first_at, last_at) AS (VALUES ($1, $2, $3, $4, $5, $6)) INSERT INTO token_day (holder, day, tokens, refreshed, first_at, last_at) SELECT holder, day, tokens, refreshed, first_at, last_at FROM new WHERE holder IS NOT NULL ON CONFLICT (holder, day) DO UPDATE SET tokens = token_day.tokens + excluded.tokens, refreshed = token_day.refreshed + excluded.refreshed, first_at = CASE WHEN excluded.first_at < token_day.first_at THEN excluded.first_at ELSE token_day.first_at END, last_at = CASE WHEN excluded.last_at > token_day.last_at THEN excluded.last_at ELSE token_day.last_at END

WITH new (holder, day, tokens, refreshed, first_at, last_at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12)) INSERT INTO token_day (holder, day, tokens, refreshed, first_at, last_at) SELECT holder, day, tokens, refreshed, first_at, last_at FROM new WHERE holder IS NOT NULL ON CONFLICT (holder, day) DO UPDATE SET tokens = token_day.tokens + excluded.tokens, refreshed = token_day.refreshed + excluded.refreshed, first_at = CASE WHEN excluded.first_at < token_day.first_at THEN excluded.first_at ELSE token_day.first_at END, last_at = CASE WHEN excluded.last_at > token_day.last_at THEN excluded.last_at ELSE token_day.last_at END

WITH new (id, tenant, site, role, label, at) AS (VALUES ($1, $2, $3, $4, $5, $6)) INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL

WITH new (id, tenant, site, role, label, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12)) INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL

WITH new (id, tenant, site, role, label, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24)) INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL

WITH new (id, tenant, site, role, label, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24), ($25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36), ($37, $38, $39, $40, $41, $42), ($43, $44, $45, $46, $47, $48)) INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL

WITH new (id, tenant, site, role, label, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24), ($25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36), ($37, $38, $39, $40, $41, $42), ($43, $44, $45, $46, $47, $48), ($49, $50, $51, $52, $53, $54), ($55, $56, $57, $58, $59, $60), ($61, $62, $63, $64, $65, $66), ($67, $68, $69, $70, $71, $72), ($73, $74, $75, $76, $77, $78), ($79, $80, $81, $82, $83, $84), ($85, $86, $87, $88, $89, $90), ($91, $92, $93, $94, $95, $96)) INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL

WITH new (id, tenant, site, role, label, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24), ($25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36), ($37, $38, $39, $40, $41, $42), ($43, $44, $45, $46, $47, $48), ($49, $50, $51, $52, $53, $54), ($55, $56, $57, $58, $59, $60), ($61, $62, $63, $64, $65, $66), ($67, $68, $69, $70, $71, $72), ($73, $74, $75, $76, $77, $78), ($79, $80, $81, $82, $83, $84), ($85, $86, $87, $88, $89, $90), ($91, $92, $93, $94, $95, $96), ($97, $98, $99, $100, $101, $102), ($103, $104, $105, $106, $107, $108), ($109, $110, $111, $112, $113, $114), ($115, $116, $117, $118, $119, $120), ($121, $122, $123, $124, $125, $126), ($127, $128, $129, $130, $131, $132), ($133, $134, $135, $136, $137, $138), ($139, $140, $141, $142, $143, $144), ($145, $146, $147, $148, $149, $150), ($151, $152, $153, $154, $155, $156), ($157, $158, $159, $160, $161, $162), ($163, $164, $165, $166, $167, $168), ($169, $170, $171, $172, $173, $174), ($175, $176, $177, $178, $179, $180), ($181, $182, $183, $184, $185, $186), ($187, $188, $189, $190, $191, $192)) INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL

WITH new (invitation, key_hash, device, at) AS (VALUES ($1, $2, $3, $4)) UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d WHERE invitation.id = new.invitation AND invitation.state = 'open' AND invitation.expires_at >= new.at AND d.id = new.device AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label

WITH new (invitation, key_hash, device, at) AS (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8)) UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d WHERE invitation.id = new.invitation AND invitation.state = 'open' AND invitation.expires_at >= new.at AND d.id = new.device AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label

WITH new (invitation, key_hash, device, at) AS (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8), ($9, $10, $11, $12), ($13, $14, $15, $16)) UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d WHERE invitation.id = new.invitation AND invitation.state = 'open' AND invitation.expires_at >= new.at AND d.id = new.device AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label

WITH new (invitation, key_hash, device, at) AS (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8), ($9, $10, $11, $12), ($13, $14, $15, $16), ($17, $18, $19, $20), ($21, $22, $23, $24), ($25, $26, $27, $28), ($29, $30, $31, $32)) UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d WHERE invitation.id = new.invitation AND invitation.state = 'open' AND invitation.expires_at >= new.at AND d.id = new.device AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label

WITH new (invitation, key_hash, device, at) AS (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8), ($9, $10, $11, $12), ($13, $14, $15, $16), ($17, $18, $19, $20), ($21, $22, $23, $24), ($25, $26, $27, $28), ($29, $30, $31, $32), ($33, $34, $35, $36), ($37, $38, $39, $40), ($41, $42, $43, $44), ($45, $46, $47, $48), ($49, $50, $51, $52), ($53, $54, $55, $56), ($57, $58, $59, $60), ($61, $62, $63, $64)) UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d WHERE invitation.id = new.invitation AND invitation.state = 'open' AND invitation.expires_at >= new.at AND d.id = new.device AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label

WITH new (invitation, key_hash, device, at) AS (VALUES ($1, $2, $3, $4), ($5, $6, $7, $8), ($9, $10, $11, $12), ($13, $14, $15, $16), ($17, $18, $19, $20), ($21, $22, $23, $24), ($25, $26, $27, $28), ($29, $30, $31, $32), ($33, $34, $35, $36), ($37, $38, $39, $40), ($41, $42, $43, $44), ($45, $46, $47, $48), ($49, $50, $51, $52), ($53, $54, $55, $56), ($57, $58, $59, $60), ($61, $62, $63, $64), ($65, $66, $67, $68), ($69, $70, $71, $72), ($73, $74, $75, $76), ($77, $78, $79, $80), ($81, $82, $83, $84), ($85, $86, $87, $88), ($89, $90, $91, $92), ($93, $94, $95, $96), ($97, $98, $99, $100), ($101, $102, $103, $104), ($105, $106, $107, $108), ($109, $110, $111, $112), ($113, $114, $115, $116), ($117, $118, $119, $120), ($121, $122, $123, $124), ($125, $126, $127, $128)) UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d WHERE invitation.id = new.invitation AND invitation.state = 'open' AND invitation.expires_at >= new.at AND d.id = new.device AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role AND d.label = invitation.label

WITH new (issuer, serial, device, der, thumbprint, at) AS (VALUES ($1, $2, $3, $4, $5, $6)) UPDATE certificate SET state = 'issued', der = new.der, thumbprint = new.thumbprint, issued_at = new.at FROM new WHERE certificate.issuer = new.issuer AND certificate.serial = new.serial AND certificate.device = new.device AND certificate.state = 'reserved'

WITH new (issuer, serial, device, der, thumbprint, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12)) UPDATE certificate SET state = 'issued', der = new.der, thumbprint = new.thumbprint, issued_at = new.at FROM new WHERE certificate.issuer = new.issuer AND certificate.serial = new.serial AND certificate.device = new.device AND certificate.state = 'reserved'

WITH new (issuer, serial, device, der, thumbprint, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24)) UPDATE certificate SET state = 'issued', der = new.der, thumbprint = new.thumbprint, issued_at = new.at FROM new WHERE certificate.issuer = new.issuer AND certificate.serial = new.serial AND certificate.device = new.device AND certificate.state = 'reserved'

WITH new (issuer, serial, device, der, thumbprint, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24), ($25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36), ($37, $38, $39, $40, $41, $42), ($43, $44, $45, $46, $47, $48)) UPDATE certificate SET state = 'issued', der = new.der, thumbprint = new.thumbprint, issued_at = new.at FROM new WHERE certificate.issuer = new.issuer AND certificate.serial = new.serial AND certificate.device = new.device AND certificate.state = 'reserved'

WITH new (issuer, serial, device, der, thumbprint, at) AS (VALUES ($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), ($19, $20, $21, $22, $23, $24), ($25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36), ($37, $38, $39, $40, $41, $42), ($43, $44, $45, $46, $47, $48), ($49, $50, $51, $52, $53, $54), ($55, $56, $57, $58, $59, $60), ($61, $62, $63, $64, $65, $66), ($67, $68, $69, $70, $71, $72), ($73, $74, $75, $76, $77, $78), ($79, $80, $81, $82, $83, $84), ($85, $86, $87, $88, $89, $90), ($91, $92, $93, $94, $95, $96), ($97, $98, $99, $100, $101, $102), ($103, $104, $105, $106, $107, $108), ($109, $110, $111, $112, $113, $114), ($115, $116, $117, $118, $119, $120), ($121, $122, $123, $124, $125, $126), ($127, $128, $129, $130, $131, $132), ($133, $134, $135, $136, $137, $138), ($139, $140, $141, $142, $143, $144), ($145, $146, $147, $148, $149, $150), ($151, $152, $153, $154, $155, $156), ($157, $158, $159, $160, $161, $162), ($163, $164, $165, $166, $167, $168), ($169, $170, $171, $172, $173, $174), ($175, $176, $177, $178, $179, $180), ($181, $182, $183, $184, $185, $186), ($187, $188, $189, $190, $191, $192)) UPDATE certificate SET state = 'issued', der = new.der, thumbprint = new.thumbprint, issued_at = new.at FROM new WHERE certificate.issuer = new.issuer AND certificate.serial = new.serial AND certificate.device = new.device AND certificate.state = 'reserved'

WITH new (seq, at, device, entry, hash) AS (VALUES ($1, $2, $3, $4, $5)) INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new WHERE seq IS NOT NULL

WITH new (seq, at, device, entry, hash) AS (VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10)) INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new WHERE seq IS NOT NULL

WITH new (seq, at, device, entry, hash) AS (VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10), ($11, $12, $13, $14, $15), ($16, $17, $18, $19, $20)) INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new WHERE seq IS NOT NULL

WITH new (seq, at, device, entry, hash) AS (VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10), ($11, $12, $13, $14, $15), ($16, $17, $18, $19, $20), ($21, $22, $23, $24, $25), ($26, $27, $28, $29, $30), ($31, $32, $33, $34, $35), ($36, $37, $38, $39, $40)) INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new WHERE seq IS NOT NULL

WITH new (seq, at, device, entry, hash) AS (VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10), ($11, $12, $13, $14, $15), ($16, $17, $18, $19, $20), ($21, $22, $23, $24, $25), ($26, $27, $28, $29, $30), ($31, $32, $33, $34, $35), ($36, $37, $38, $39, $40), ($41, $42, $43, $44, $45), ($46, $47, $48, $49, $50), ($51, $52, $53, $54, $55), ($56, $57, $58, $59, $60), ($61, $62, $63, $64, $65), ($66, $67, $68, $69, $70), ($71, $72, $73, $74, $75), ($76, $77, $78, $79, $80)) INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new WHERE seq IS NOT NULL

WITH new (seq, at, device, entry, hash) AS (VALUES ($1, $2, $3, $4, $5), ($6, $7, $8, $9, $10), ($11, $12, $13, $14, $15), ($16, $17, $18, $19, $20), ($21, $22, $23, $24, $25), ($26, $27, $28, $29, $30), ($31, $32, $33, $34, $35), ($36, $37, $38, $39, $40), ($41, $42, $43, $44, $45), ($46, $47, $48, $49, $50), ($51, $52, $53, $54, $55), ($56, $57, $58, $59, $60), ($61, $62, $63, $64, $65), ($66, $67, $68, $69, $70), ($71, $72, $73, $74, $75), ($76, $77, $78, $79, $80), ($81, $82, $83, $84, $85), ($86, $87, $88, $89, $90), ($91, $92, $93, $94, $95), ($96, $97, $98, $99, $100), ($101, $102, $103, $104, $105), ($106, $107, $108, $109, $110), ($111, $112, $113, $114, $115), ($116, $117, $118, $119, $120), ($121, $122, $123, $124, $125), ($126, $127, $128, $129, $130), ($131, $132, $133, $134, $135), ($136, $137, $138, $139, $140), ($141, $142, $143, $144, $145), ($146, $147, $148, $149, $150), ($151, $152, $153, $154, $155), ($156, $157, $158, $159, $160)) INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new WHERE seq IS NOT NULL
