//! The table of refusals: by the letter of their codes, then by number.

use crate::language::Language;

refusals! {
    // C: Certificates, and who presents them.
    /// The connection carries no client certificate.
    NoCertificate "C-01" 401 {
        ja: "この端末の証明書が提示されていません", "証明書をこの端末に入れてから、もう一度開いてください。入れたばかりのときは、ブラウザをいったん閉じて開き直してください。";
        en: "This device did not present a certificate", "Put the certificate on this device and open the page again. If you have just installed it, close the browser once and reopen it.";
    }
    /// The certificate was not issued by a trusted CA, or its path does not hold.
    ForeignCertificate "C-02" 401 {
        ja: "別の発行元の証明書が提示されました", "この通行手形の証明書を選び直してください。見当たらないときは、管理者に新しい招待を依頼してください。";
        en: "A certificate of another authority was presented", "Choose the certificate issued by this installation. If there is none, ask your administrator for a new invitation.";
    }
    /// Issued by our CA by its signature, yet not in the ledger.
    UnknownCertificate "C-03" 401 {
        ja: "台帳にない証明書です", "使わずに、コードをサポートへお知らせください。";
        en: "The ledger does not know this certificate", "Do not use it; tell support this code.";
    }
    /// Past its last day.
    CertificateExpired "C-04" 401 {
        ja: "証明書の有効期限が切れています", "管理者に新しい招待を依頼してください。";
        en: "The certificate has expired", "Ask your administrator for a new invitation.";
    }
    /// Before its first day.
    CertificateNotYetValid "C-05" 401 {
        ja: "証明書の有効期間がまだ始まっていません", "端末の日付と時刻を確かめてください。";
        en: "The certificate is not valid yet", "Check the date and time of this device.";
    }
    /// The certificate is revoked for good.
    CertificateRevoked "C-06" 401 {
        ja: "この端末の証明書は失効しています", "管理者により停止されました。心当たりがないときは、コードを添えて管理者へご連絡ください。";
        en: "The certificate of this device has been revoked", "An administrator stopped it. If that surprises you, tell your administrator this code.";
    }
    /// The device is suspended, which may be lifted.
    DeviceSuspended "C-07" 401 {
        ja: "この端末は一時停止中です", "管理者が停止を解除すると、同じ証明書のまま使えます。";
        en: "This device is suspended", "Once your administrator resumes it, the same certificate works again.";
    }
    /// An old generation after its grace.
    CertificateRetired "C-08" 401 {
        ja: "新しい証明書に切り替え済みの、古い証明書です", "ブラウザを開き直し、新しい証明書を選んでください。";
        en: "This is an old certificate; a newer one has taken over", "Reopen the browser and choose the newer certificate.";
    }
    /// A gate's certificate where a device is expected.
    NotADevice "C-09" 403 {
        ja: "端末用の証明書ではありません", "端末の証明書でやり直してください。";
        en: "This is not a device's certificate", "Use the certificate of a device.";
    }
    /// A device's certificate where a gate is expected.
    NotAGate "C-10" 403 {
        ja: "関所(ゲート)用の証明書ではありません", "ゲートの証明書でやり直してください。";
        en: "This is not a gate's certificate", "Use the certificate of a gate.";
    }
    /// The certificate is not one by which the client that is named is known.
    NotThisClient "C-12" 401 {
        ja: "名乗ったクライアントの証明書ではありません", "client_id と、登録した証明書(サブジェクト、発行元、JWKS)を確かめてください。";
        en: "The certificate is not one of the client that is named", "Check client_id and what is registered for it: subject, issuer, JWKS.";
    }
    /// The tenant is suspended: none of its devices receives a certificate.
    TenantSuspended "C-13" 403 {
        ja: "この会社の利用は一時停止中です", "停止が解除されると、同じ招待のまま手続きできます。管理者へご連絡ください。";
        en: "This company is suspended", "Once it is resumed, the same invitation works. Ask your administrator.";
    }

    // I: Invitations, kitting codes (from 30) and lists of invitations (from 20).
    /// No invitation has this code.
    InvitationUnknown "I-01" 404 {
        ja: "招待が見つかりません", "リンクが途中で切れていないか確かめてください。それでも解決しないときは、管理者に新しい招待を依頼してください。";
        en: "There is no such invitation", "Check that the link is complete; if it is, ask for a new invitation.";
    }
    /// The invitation has been used, with another key.
    InvitationUsed "I-02" 409 {
        ja: "この招待は使用済みです", "証明書を入れたばかりのときは、この端末の証明書を確認してください。途中で画面を閉じたときは、始めたときと同じブラウザで招待のリンクを開き直してください。別の端末に入れるときや、それでも進めないときは、管理者に新しい招待を依頼してください。";
        en: "This invitation has been used", "If you have just installed the certificate, check the certificate of this device. If you closed the page on the way, open the link again in the same browser. For another device, or if that does not help, ask your administrator for a new invitation.";
    }
    /// The invitation is too old.
    InvitationExpired "I-03" 410 {
        ja: "招待の期限が切れています", "新しい招待を依頼してください。";
        en: "This invitation has expired", "Ask for a new invitation.";
    }
    /// The invitation was withdrawn.
    InvitationWithdrawn "I-04" 410 {
        ja: "この招待は取り消されています", "新しい招待を依頼してください。";
        en: "This invitation has been withdrawn", "Ask for a new invitation.";
    }
    /// A protocol that takes an invitation as a password got none, or one that does not exist.
    InvitationNotShown "I-05" 401 {
        ja: "招待のコードが示されていないか、正しくありません", "招待のコードをパスワードとして送ってください。それでも解決しないときは、新しい招待を依頼してください。";
        en: "No invitation was shown, or there is no such invitation", "Send the invitation's code as the password; if it is refused, ask for a new invitation.";
    }
    /// No living invitation has this short code.
    ShortCodeUnknown "I-10" 404 {
        ja: "このコードは使えません", "打ち間違いがないか確かめてください。コードは発行からしばらくすると切れます。切れたときは管理者に新しいコードを依頼してください。";
        en: "This code does not work", "Check the typing. Codes end a while after they are made; ask your administrator for a new one.";
    }
    /// Too many wrong short codes from one place, or from everywhere.
    TooManyGuesses "I-11" 429 {
        ja: "コードの打ち間違いが続いたため、しばらく受け付けません", "10分ほど待ってから、もう一度入力してください。招待のリンクをお持ちのときは、すぐに使えます。";
        en: "Too many wrong codes: none is accepted for a while", "Wait ten minutes and type it again. The link of an invitation works at once.";
    }
    /// Too many links came from one address that nobody was given.
    TooManyLinks "I-12" 429 {
        ja: "正しくない招待のリンクが続いたため、しばらく受け付けません", "10分ほど待ってから、招待のリンクをもう一度開いてください。心当たりがないときは、このコードを管理者にお伝えください。";
        en: "Too many links that are no invitations: none is accepted for a while", "Wait ten minutes and open the link of your invitation again. If this was not you, tell your administrator this code.";
    }
    /// The client is registered, but not for inviting, or the request reaches beyond its tenants and sites.
    ClientMayNotInvite "I-20" 403 {
        ja: "このクライアントには招待を作る許可がありません", "このクライアントの登録に招待の許可があるか、運用者に確かめてください。";
        en: "This client may not make invitations", "Ask the installation's operator about invites in the registration of this client.";
    }
    /// A list of invitations without a key that makes it safe to send again.
    IdempotencyKeyMissing "I-21" 400 {
        ja: "Idempotency-Key がありません", "同じ依頼に同じ値を付けて送ってください。1文字以上64文字以内の ASCII 文字です。";
        en: "There is no Idempotency-Key", "Send one of 1 to 64 visible ASCII characters, the same whenever the same list is sent again.";
    }
    /// The key was used for another list.
    IdempotencyKeyReused "I-22" 422 {
        ja: "この Idempotency-Key は別の内容で使われています", "新しい内容には新しい値を付けてください。";
        en: "This Idempotency-Key was used for another list", "Use a new key for a new list.";
    }
    /// The list is empty or has more lines than are taken at once.
    ListSize "I-23" 413 {
        ja: "一覧の行数が範囲を超えています", "1行以上1000行以内、256 KiB 以内に分けて送ってください。";
        en: "The list is empty or too long", "Send 1 to 1,000 lines at a time, of at most 256 KiB.";
    }
    /// There is no such list of this client.
    ListUnknown "I-24" 404 {
        ja: "そのような招待の一覧はありません", "受付のときに返された番号を確かめてください。";
        en: "There is no such list of invitations", "Check the identifier that was answered when the list was sent.";
    }
    /// The codes of a list are asked for before all of its lines are done.
    ListUnfinished "I-25" 409 {
        ja: "一覧はまだ処理中です", "すべての行が終わってから、もう一度お試しください。";
        en: "The list is not done yet", "Ask again when all of its lines are done.";
    }
    /// The codes of a list were handed over before.
    CodesHandedOver "I-26" 410 {
        ja: "招待のリンクはすでにお渡ししています", "リンクは一度しか表示できません。届かなかったときは、一覧を取り消して、新しい Idempotency-Key で送り直してください。";
        en: "The links of this list were handed over already", "They are shown once. If they never arrived, withdraw the list and send it again with a new Idempotency-Key.";
    }
    /// A line of a list cannot be read.
    LineMalformed "I-27" 400 {
        ja: "この行を読み取れません", "列は site と label です。余分な列や足りない列がないか確かめてください。";
        en: "This line cannot be read", "A line has site and label. Check for missing or additional columns.";
    }
    /// A line names a site that is not there, or is none of the client's.
    LineSiteUnknown "I-28" 404 {
        ja: "この店舗は見つかりません", "店舗の名前か番号を確かめてください。同じ名前の店舗が複数あるときは番号を使ってください。";
        en: "There is no such site for this client", "Check the name or identifier; use the identifier where several sites have one name.";
    }
    /// The kitting code has admitted as many devices as it may.
    KittingUsedUp "I-30" 409 {
        ja: "この作業用コードの台数分は登録し終わりました", "まだ登録する端末があるときは、管理者に新しい作業用コードを依頼してください。";
        en: "This kitting code has enrolled all its devices", "Ask your administrator for another one if devices are left.";
    }
    /// A device of the same kitting code is called so already.
    KittingLabelTaken "I-31" 409 {
        ja: "同じ名前の端末がこの作業で登録済みです", "資産番号を読み違えていないか確かめてください。登録をやり直すときは、先に登録した端末を失効させてください。";
        en: "A device of this name was enrolled in this batch before", "Check the asset number. To enroll it again, revoke the earlier device first.";
    }
    /// A kitting code is used from elsewhere than where it may be.
    KittingElsewhere "I-32" 403 {
        ja: "この作業用コードは、この場所のネットワークでは使えません", "決められた作業場所のネットワークから登録してください。続くときはコードを添えて管理者へご連絡ください。";
        en: "This kitting code does not work from this network", "Enroll from the network of the place it was made for. If it goes on, tell your administrator this code.";
    }
    /// A kitting code enrolls faster than anybody unpacks devices.
    KittingTooFast "I-33" 429 {
        ja: "短い時間に多くの端末が登録されています", "1分ほど待ってから、次の端末を登録してください。心当たりがないときは、すぐに管理者へご連絡ください。";
        en: "Too many devices were enrolled within a minute", "Wait a minute before the next one. If this surprises you, tell your administrator at once.";
    }
    /// The name of a device cannot be written into a certificate.
    LabelUnfit "I-34" 400 {
        ja: "端末の名前として使えません", "1文字以上64文字以内で、改行や見えない文字を含まない名前にしてください。";
        en: "This cannot be the name of a device", "Use 1 to 64 characters, none of them invisible or a control character.";
    }

    /// A list of invitations is not text that can be read, or not a table of sites and labels.
    ListUnreadable "I-29" 400 {
        ja: "一覧の文字コードか列の名前を読み取れません", "「CSV UTF-8」形式で保存し、1行目を site,label にしてください。Shift_JIS や UTF-16 のときは Content-Type に charset を付けます。同じ Idempotency-Key で送り直せます。";
        en: "The list cannot be read as a whole", "Save it as CSV UTF-8, with site,label in its first line, or name its charset in Content-Type: Shift_JIS, UTF-16. The same Idempotency-Key can be used again.";
    }

    // E: The rules of a tenant or a site, and approvals.
    /// The policy of the tenant or site does not let devices in from this network, or from none that is known.
    NetworkNotAllowed "E-01" 403 {
        ja: "このネットワークからは端末を登録できません", "店舗のネットワークにつないでから、もう一度お試しください。それでも解決しないときは、コードを添えて本部へご連絡ください。";
        en: "Devices cannot be enrolled from this network", "Connect to your store's network and try again. If that does not help, tell your head office this code.";
    }
    /// The policy of the tenant or site does not let devices of this kind in.
    PlatformNotAllowed "E-02" 403 {
        ja: "この種類の端末は登録できません", "どの端末を使うかを本部へお確かめください。招待はまだ使えます。";
        en: "Devices of this kind cannot be enrolled", "Ask your head office which devices to use. The invitation can still be used.";
    }
    /// The policy of the tenant or site does not let devices in at this time.
    OutsideHours "E-03" 403 {
        ja: "いまは端末を登録できない時間です", "登録できる時間内に、同じ招待でもう一度お試しください。お急ぎのときは本部へご連絡ください。";
        en: "Devices cannot be enrolled at this time", "Come again with the same invitation within the hours for it. If it is urgent, ask your head office.";
    }
    /// There are as many devices as the policy of the tenant or site allows.
    NoPlaceLeft "E-04" 403 {
        ja: "登録できる端末の台数に達しています", "使わなくなった端末の停止か、台数の追加を本部へ依頼してください。そのあと、同じ招待で続けられます。";
        en: "As many devices as allowed are enrolled already", "Ask your head office to stop a device that is no longer used, or to allow more. Then go on with the same invitation.";
    }
    /// The policy of the tenant or site asks for an approval, and nobody has decided yet.
    ApprovalPending "E-05" 403 {
        ja: "本部の承認を待っています", "承認されると、同じ端末で続きができます。お急ぎのときは本部へご連絡ください。";
        en: "Waiting for approval", "Once your head office approves, go on with this same device. If it is urgent, ask them.";
    }
    /// Somebody has decided against it.
    ApprovalDeclined "E-06" 403 {
        ja: "この端末の登録は承認されませんでした", "理由を本部へお確かめください。";
        en: "The enrollment of this device was declined", "Ask your head office why.";
    }
    /// Too many keys wait for an approval by one invitation, or at one site.
    TooManyWaiting "E-07" 429 {
        ja: "承認待ちの申請が多すぎます", "先に始めた画面があれば、そちらで承認をお待ちください。なければ、本部へご連絡ください。";
        en: "Too many requests wait for approval", "Go on where you began, if that is still open. If not, tell your head office.";
    }
    /// There is no request for approval of this name that the person may see.
    ApprovalUnknown "E-08" 404 {
        ja: "その申請は見つかりません", "承認待ちの一覧を開き直して、もう一度お選びください。";
        en: "There is no such request", "Open the list of those that wait again and choose from it.";
    }
    /// Somebody has decided, or it waited too long.
    ApprovalOver "E-09" 409 {
        ja: "この申請はすでに決まったか、期限が過ぎています", "何も変更していません。承認待ちの一覧を開き直してください。";
        en: "This request was decided already, or its time is over", "Nothing was changed. Open the list of those that wait again.";
    }

    // K: Keys, and requests for certificates.
    /// The request for a certificate cannot be read.
    CsrMalformed "K-01" 400 {
        ja: "証明書の申請データを読み取れません", "ページを開き直して、もう一度お試しください。";
        en: "The certificate request cannot be read", "Send one PKCS#10 request, DER in base64.";
    }
    /// The request is longer than any honest one.
    CsrTooLarge "K-02" 413 {
        ja: "証明書の申請データが大きすぎます", "ページを開き直して、もう一度お試しください。";
        en: "The certificate request is too large", "Send a request of at most 8 KiB.";
    }
    /// The profile does not allow this kind of key.
    KeyNotAllowed "K-03" 400 {
        ja: "この種類の鍵は使えません", "別のブラウザでお試しください。";
        en: "This kind of key is not allowed", "Use a key type that the profile allows, such as P-256.";
    }
    /// The request is not signed by the key inside it.
    CsrNotSigned "K-04" 400 {
        ja: "申請の署名が正しくありません", "ページを開き直して、もう一度お試しください。";
        en: "The request is not signed by its own key", "Sign the request with the key it contains.";
    }
    /// The key was used by another device before.
    KeyReused "K-05" 409 {
        ja: "この鍵はすでに使われています", "ページを開き直すと、新しい鍵が作られます。";
        en: "This key has been used before", "Make a fresh key for every certificate.";
    }
    /// The renewed certificate's device cannot receive another one now.
    RenewalNotPossible "K-06" 409 {
        ja: "この証明書からは更新できません", "この端末のいちばん新しい証明書で更新してください。";
        en: "This certificate cannot be renewed", "Renew with the newest working certificate of this device.";
    }
    /// The key is blocked: it is known to be compromised.
    KeyBlocked "K-07" 403 {
        ja: "この鍵はほかの人の手に渡ったおそれがあるため使えません", "ページを開き直すと、新しい鍵が作られます。続くときはコードをサポートへお知らせください。";
        en: "This key is blocked because it was reported as compromised", "Make a fresh key. If this surprises you, tell support this code.";
    }
    /// There is no newer working certificate that this one could make way for.
    NothingNewer "K-08" 409 {
        ja: "新しい証明書がまだ使われていません", "新しい証明書を取り込み、「取り込みを確認する」を押してください。";
        en: "No newer certificate has been seen at work", "Import the newer certificate and check the import first.";
    }
    /// A client's transaction was begun for another key.
    TransactionReused "K-09" 409 {
        ja: "この申請の番号は、別の鍵の申請ですでに使われています", "鍵と申請を新しく作って、もう一度お試しください。";
        en: "This transaction was begun with another key", "Begin a new transaction for a new key, or send the first request again.";
    }

    // R: Requests, whatever they are for.
    /// The body is not what the route expects.
    RequestMalformed "R-01" 400 {
        ja: "送られた内容を読み取れません", "入力の形式を確かめてください。";
        en: "The request cannot be read", "Check the body against the description of this route.";
    }
    /// The body is over the limit.
    RequestTooLarge "R-02" 413 {
        ja: "送られた内容が大きすぎます", "64 KiB 以内にしてください。";
        en: "The request is too large", "Send at most 64 KiB.";
    }
    /// The listener has no such path.
    NotFound "R-03" 404 {
        ja: "ページが見つかりません", "アドレスを確かめてください。";
        en: "There is no such page", "Check the address.";
    }
    /// The route exists, with another method.
    MethodNotAllowed "R-04" 405 {
        ja: "この操作はできません", "アドレスと操作の種類を確かめてください。";
        en: "This method is not allowed here", "Use a method named in the Allow header.";
    }
    /// The TLS server name and the Host header differ (RFC 9110 section 15.5.20).
    Misdirected "R-05" 421 {
        ja: "接続先の名前が一致しません", "ページを開き直してください。";
        en: "The host does not match the connection", "Open a new connection for this host.";
    }
    /// A page of another site sent this request.
    ForeignOrigin "R-06" 403 {
        ja: "別のサイトからの操作は受け付けません", "正しいページから操作してください。";
        en: "Requests from another site are refused", "Use this installation's own pages.";
    }
    /// The content type is not one the route reads.
    MediaType "R-07" 415 {
        ja: "この形式のデータは受け付けません", "Content-Type を、この宛先が受け付ける形式にしてください。";
        en: "This media type is not accepted", "Send a media type that is accepted here, and say which in Content-Type.";
    }
    /// A request at the listener for proxies that no configured proxy sent.
    ProxyNotTrusted "R-08" 403 {
        ja: "この接続元は受け付けません", "端末用のアドレスを開いてください。続くときはコードをサポートへお知らせください。";
        en: "This listener is for the configured proxy alone", "Connect to the public address. Operators: check which proxies are configured.";
    }
    /// The proxy's header is not one certificate in the configured form.
    CertificateHeader "R-09" 400 {
        ja: "中継サーバーから届いた証明書を読み取れません", "コードを添えてサポートへご連絡ください。";
        en: "The proxy did not pass on one readable certificate", "Operators: see that the proxy and the installation agree on the header.";
    }
    /// CONNECT, or a transfer coding other than chunked.
    NotImplemented "R-10" 501 {
        ja: "この形の要求には対応していません", "ブラウザや端末のソフトを新しくしても続くときは、コードを添えてサポートへご連絡ください。";
        en: "The server does not take requests of this form", "CONNECT, and a Transfer-Encoding other than chunked, are not implemented.";
    }

    // A: ACME, and the rate limits that other protocols share.
    /// The nonce of an ACME request was used before, is too old or none of ours.
    AcmeNonce "A-01" 400 {
        ja: "要求の使い捨て番号(nonce)が正しくありません", "新しい番号でもう一度送ってください。ACME クライアントは自動で再送します。";
        en: "The nonce is not fresh", "Send the request again with the nonce of this answer; ACME clients do so by themselves.";
    }
    /// The signature of an ACME request does not hold, or is of a kind that is not taken.
    AcmeSignature "A-02" 400 {
        ja: "要求の署名が正しくありません", "ES256、ES384、RS256、EdDSA のいずれかで、アカウントの鍵により署名してください。";
        en: "The signature of the request does not hold", "Sign with the account's key, by ES256, ES384, RS256 or EdDSA.";
    }
    /// There is no such ACME account.
    AcmeAccountUnknown "A-03" 400 {
        ja: "ACME アカウントがありません", "アカウントを登録し直してください。";
        en: "There is no such ACME account", "Register an account first.";
    }
    /// An ACME account must be bound to an invitation, and this binding does not hold.
    AcmeNotBound "A-04" 403 {
        ja: "招待に結び付いていない ACME アカウントです", "招待とともに示された kid と HMAC 鍵を外部アカウント結合に使ってください。";
        en: "The ACME account is not bound to an invitation", "Use the key identifier and HMAC key that came with the invitation for external account binding.";
    }
    /// The ACME account was closed by its holder.
    AcmeAccountClosed "A-05" 403 {
        ja: "この ACME アカウントは閉じられています", "新しい招待で登録し直してください。";
        en: "This ACME account has been closed", "Register another one with a new invitation.";
    }
    /// An ACME order for a name that the account may not use.
    AcmeIdentifier "A-06" 403 {
        ja: "この名前では申請できません", "招待とともに示された名前をそのまま使ってください。";
        en: "The account may not use this identifier", "Order exactly the name that came with the invitation.";
    }
    /// The ACME order is in another state, has expired, or waits for another key.
    AcmeOrderNotReady "A-07" 403 {
        ja: "この申請はいま発行できる状態にありません", "新しい申請からやり直してください。";
        en: "The order is not in the state for this", "Look at the order; if it has ended, begin another one.";
    }
    /// The attestation does not prove what it should.
    AcmeAttestation "A-08" 403 {
        ja: "端末の証明(アテステーション)を確認できません", "管理者へコードをお知らせください。";
        en: "The device attestation is not believed", "Tell your administrator this code.";
    }
    /// Too often in too short a time.
    TooManyRequests "A-09" 429 {
        ja: "短い時間に要求が多すぎます", "しばらく待ってから、もう一度お試しください。";
        en: "Too many requests in a short time", "Wait a while before trying again.";
    }
    /// The certificate that the order is to replace has been replaced.
    AcmeAlreadyReplaced "A-10" 409 {
        ja: "この証明書はすでに新しいものに置き換えられています", "置き換え後の証明書を使ってください。";
        en: "This certificate has been replaced already", "Use the newer certificate.";
    }
    /// The key has an ACME account already.
    AcmeKeyTaken "A-11" 409 {
        ja: "この鍵にはすでに ACME アカウントがあります", "別の鍵を作ってください。";
        en: "This key has an ACME account already", "Make another key.";
    }

    // D: Reports of loss.
    /// A device of this name is not at the reporting device's site; whether it exists elsewhere is not said.
    DeviceNotHere "D-01" 404 {
        ja: "この店舗にその端末はありません", "一覧を開き直して、もう一度お選びください。";
        en: "There is no such device at this site", "Open the list again and choose from it.";
    }
    /// The device is suspended or stopped for ever already.
    DeviceStopped "D-02" 409 {
        ja: "その端末はすでに停止しています", "ほかに必要なことはありません。止まっている理由は管理者にお確かめください。";
        en: "That device is stopped already", "There is nothing more to do. Your administrator knows why it was stopped.";
    }
    /// This device has reported as many as it may in a day.
    TooManyLossReports "D-03" 429 {
        ja: "この端末からは、今日はもうほかの端末を止められません", "1台の端末から止められるのは1日2台までです。ほかにもあるときは、すぐに管理者へお電話ください。";
        en: "This device can stop no more devices today", "A device may stop two a day. If there is more, call your administrator at once.";
    }
    /// The tenant has switched reports by devices off.
    LossReportsOff "D-04" 403 {
        ja: "この会社では、端末からほかの端末を止めることはできません", "すぐに管理者へお電話ください。";
        en: "At this company devices cannot stop each other", "Call your administrator at once.";
    }
    /// The device that reports is the one that is reported, and did not say that it knows.
    OwnDevice "D-05" 409 {
        ja: "いまお使いの端末そのものです", "この端末を止めてよいときだけ、確認のうえ止めてください。";
        en: "This is the very device in use", "Stop it only if it may be stopped, and say so.";
    }
    /// No device that the person may see is the one that was named.
    DeviceUnknown "D-10" 404 {
        ja: "その端末は見つかりません", "端末番号を確かめて、もう一度お探しください。ほかの会社や店舗の端末は表示されません。";
        en: "There is no such device", "Check the device number and search again. Devices of other companies and sites are not shown.";
    }
    /// Somebody has brought the device into this state already, or it is in one from which nothing leads there.
    DeviceStateOtherwise "D-11" 409 {
        ja: "この端末はすでに別の状態になっています", "何も変更していません。端末の画面で、いまの状態と、だれがいつ変えたかを確かめてください。";
        en: "The device is in another state by now", "Nothing was changed. The page of the device says who changed it and when.";
    }
    /// Somebody has changed the device since it was read.
    DeviceChangedMeanwhile "D-12" 412 {
        ja: "画面を開いたあとに、別の人がこの端末を変更しました", "何も変更していません。端末の画面を開き直し、いまの内容を確かめてから、もう一度操作してください。";
        en: "Somebody has changed the device meanwhile", "Nothing was changed. Load the device again, see what it is now, and repeat what you did.";
    }
    /// A view of the list of devices whose name or restrictions are none.
    ViewUnfit "D-20" 400 {
        ja: "この表示は保存できません", "1文字以上64文字以内の名前を付けて、端末の一覧の画面から保存し直してください。";
        en: "This view cannot be kept", "Give it a name of 1 to 64 characters, and save it from the list of devices.";
    }
    /// Somebody keeps as many views as one may.
    ViewsFull "D-21" 409 {
        ja: "保存できる表示は20件までです", "使わない表示を削除してから、もう一度保存してください。";
        en: "No more than 20 views are kept", "Forget one that you do not use, and save this one again.";
    }
    /// A device that came by the invitation waits for somebody's approval.
    InvitationAwaitsApproval "D-30" 409 {
        ja: "この招待の端末は、承認を待っています", "承認待ちの画面で、承認するか断ってください。新しいリンクは、そのあとで作れます。";
        en: "A device waits for approval by this invitation", "Approve or decline it first. A new link can be made afterwards.";
    }
    /// Nobody has noticed anything about the certificate that is still open.
    CopyAlarmOver "D-31" 409 {
        ja: "この端末についての確認は、もう済んでいます", "何も変更していません。端末の画面を開き直すと、だれが確かめたかが分かります。";
        en: "The alarm about this device is over", "Nothing was changed. The page of the device says who has looked into it.";
    }
    /// The rules of the site have no place for another device.
    SiteFull "D-32" 409 {
        ja: "移す先の店舗は、端末の台数が上限に達しています", "移していません。使わなくなった端末を止めるか、台数の追加を本部へ依頼してください。";
        en: "The other site has as many devices as it may", "The device was not moved. Stop one there that is no longer used, or ask head office to allow more.";
    }

    /// Who and what stands at a site was approved of by two companies.
    SiteChangesHands "D-33" 409 {
        ja: "事業譲渡の予定がある店舗です", "端末を移していません。事業譲渡が終わるか、取りやめになるまで、この店舗の端末は移せません。";
        en: "The site is about to go to another company", "The device was not moved. Devices of this site stay where they are until the transfer is done or taken back.";
    }

    /// A program acts by itself, where two people are needed or somebody has to answer for it.
    PersonNeeded "D-40" 403 {
        ja: "プログラムだけでは行えない操作です", "担当者がコンソールにサインインして行ってください。承認のように2人で行う操作と、理由を述べて行う操作は、プログラムにはできません。";
        en: "A program cannot do this by itself", "Somebody has to sign in to the console and do it. What takes two people or a reason is for people alone.";
    }
    /// Somebody has changed companies, sites or licenses while a list of the register was worked off.
    PlacesChangedMeanwhile "D-42" 409 {
        ja: "同じときに、別の人が会社・店舗・ライセンスを変更しました", "途中までの行は反映されています。同じ一覧をもう一度送ってください。反映済みの行は変わりません。";
        en: "Somebody has changed companies, sites or licenses meanwhile", "Lines before that are done. Send the same list again: what is done stays as it is.";
    }

    // S: The server itself.
    /// The ledger or a key cannot be reached: nothing was done.
    Unavailable "S-01" 503 {
        ja: "ただいま処理できません", "しばらくしてから、もう一度お試しください。続くときはコードをお知らせください。";
        en: "The service cannot do this right now", "Try again shortly. If it goes on, tell support this code.";
    }
    /// A fault of ours.
    Internal "S-02" 500 {
        ja: "システムの内部で問題が起きました", "コードを添えてサポートへご連絡ください。";
        en: "Something went wrong on our side", "Tell support this code.";
    }
    /// The tenant's policy asks for an issuing CA of its own, and there is no active one.
    NoIssuer "S-03" 503 {
        ja: "この法人の証明書を発行する認証局がありません", "コードを添えてサポートへご連絡ください。";
        en: "There is no issuing CA at work for this tenant", "Tell support this code.";
    }
    /// It is in the revocation log, and the ledger cannot take it now.
    Accepted "S-04" 503 {
        ja: "受け付けましたが、まだ反映されていません", "台帳に書き込めるようになりしだい反映されます。もう一度行う必要はありません。続くときはコードをお知らせください。";
        en: "It was accepted and has no effect yet", "It takes effect as soon as the ledger can be written. Do not do it again; if it goes on, tell support this code.";
    }
    /// The ledger's answer was lost.
    InDoubt "S-05" 503 {
        ja: "処理できたかどうかを確認できません", "もう一度行う前に、結果を確かめてください。続くときはコードをお知らせください。";
        en: "Whether it was done cannot be told right now", "Look at the result before you try again. If it goes on, tell support this code.";
    }

    /// The tenant has as much under way at this server as it may while others want something too.
    TenantBusy "S-06" 429 {
        ja: "この法人からの要求が集中しています", "少し待ってから、もう一度お試しください。";
        en: "Too much is under way for this tenant", "Try again in a moment.";
    }

    // G: Gates, and tokens at them.
    /// The gate has not heard from the platform for longer than it may.
    GateStale "G-01" 503 {
        ja: "証明書の最新状態を確認できません", "しばらくしてから、もう一度お試しください。";
        en: "The gate's knowledge of revocations is too old", "Try again shortly; the gate must reach the platform first.";
    }
    /// No token where one is needed.
    TokenMissing "G-02" 401 {
        ja: "アプリへのサインインが済んでいません", "アプリを開き直してください。";
        en: "You are not signed in to the app", "Open the app again. A program sends the token in the Authorization header as Bearer.";
    }
    /// What was sent is no access token, or its signature is not by a key of the issuer.
    TokenInvalid "G-03" 401 {
        ja: "アプリへのサインインが正しくありません", "アプリを開き直してください。";
        en: "The access token cannot be read or is not signed by the issuer", "Open the app again. A program sends one unaltered token of this issuer in one Authorization header.";
    }
    /// The token is bound to another certificate.
    TokenNotBound "G-04" 401 {
        ja: "アプリへのサインインが、この端末の証明書のものではありません", "アプリを開き直してください。";
        en: "The access token belongs to another certificate", "Open the app again. A program obtains a token with the certificate that this connection presents.";
    }
    /// The token itself was revoked.
    TokenRevoked "G-05" 401 {
        ja: "アプリへのサインインは取り消されています", "アプリを開き直してください。";
        en: "The access token has been revoked", "Open the app again. A program obtains a new token.";
    }
    /// The product behind the gate cannot be reached, or breaks off.
    ProductAway "G-06" 502 {
        ja: "アプリのサーバーにつながりません", "しばらくしてから、もう一度お試しください。";
        en: "The product behind the gate does not answer", "Try again shortly; if it lasts, tell support this code.";
    }
    /// The product behind the gate takes too long.
    ProductSlow "G-07" 504 {
        ja: "アプリのサーバーの応答に時間がかかっています", "しばらくしてから、もう一度お試しください。";
        en: "The product behind the gate takes too long", "Try again shortly; what was asked may still happen.";
    }
    /// The token is good, and not for this.
    ScopeInsufficient "G-08" 403 {
        ja: "このサービスのこの機能は許可されていません", "アプリを開き直してください。それでも解決しないときは、コードを添えて管理者へご連絡ください。";
        en: "This part of the product is not allowed", "Open the app again. If it is refused again, tell your administrator this code. A program asks for a token with the scope that is needed.";
    }
    /// The token is past its `exp`.
    TokenEnded "G-09" 401 {
        ja: "アプリへのサインインの期限が切れています", "アプリを開き直してください。";
        en: "The access token has ended", "Open the app again. A program obtains a new token shortly before the old one ends.";
    }
    /// The token's `iat` or `nbf` lies ahead of the gate's clock.
    TokenNotYetValid "G-10" 401 {
        ja: "アプリへのサインインの有効期間がまだ始まっていません", "しばらくしてから、もう一度お試しください。続くときはコードをサポートへお知らせください。";
        en: "The access token has not begun yet", "Try again shortly. Operators: set the clocks of this gate and the platform.";
    }
    /// The token is for another product.
    TokenForAnother "G-11" 401 {
        ja: "別のサービスへのサインインです", "アプリを開き直してください。";
        en: "The access token is for another product", "Open the app again. A program asks for a token with this product's name as resource.";
    }
    /// The token names another issuer than the gate believes.
    TokenOfAnotherIssuer "G-12" 401 {
        ja: "別の発行元によるサインインです", "アプリを開き直してください。続くときはコードをサポートへお知らせください。";
        en: "The access token is of another issuer", "Open the app again. Operators: compare the issuer in the token with --issuer of the gate.";
    }
    /// The token came in the address, where logs and histories keep it.
    TokenInAddress "G-13" 401 {
        ja: "アドレスにアクセストークンが入っています", "アクセストークンはアドレスに入れず、Authorization ヘッダーで送ってください。";
        en: "The access token came in the address", "Never put it there. A program sends it in the Authorization header as Bearer.";
    }

    /// No session, where a browser needs one.
    SessionMissing "G-20" 401 {
        ja: "アプリにサインインしていません", "ページを開き直して、サインインしてください。";
        en: "You are not signed in to the app", "Load the page again and sign in. A program sends an access token in the Authorization header as Bearer.";
    }
    /// The cookie was altered, is of another product, or sealed with a key that the gate does not have.
    SessionUnreadable "G-21" 401 {
        ja: "アプリへのサインインを確認できません", "ページを開き直して、サインインし直してください。";
        en: "The session in the app cannot be read", "Load the page again and sign in. Operators: all gates of a product need the same --session-key file.";
    }
    /// Nobody used it for a while, its time is up, or the person signed out somewhere.
    SessionOver "G-22" 401 {
        ja: "アプリへのサインインは終了しています", "ページを開き直して、サインインし直してください。";
        en: "The session in the app has ended", "Load the page again and sign in. Sessions end after a while without activity, and by signing out.";
    }
    /// A cookie that was carried to another device.
    SessionOfAnotherDevice "G-23" 401 {
        ja: "別の端末でのサインインです", "この端末でページを開き直して、サインインしてください。";
        en: "The session is another device's", "Load the page again on this device and sign in.";
    }
    /// The way back from a sign-in that this browser has not begun, or has completed before.
    SignInNotBegun "G-24" 400 {
        ja: "このブラウザで始めたサインインではないか、すでに完了しています", "アプリのページを開き直してください。";
        en: "This sign-in was not begun in this browser, or is over", "Open the app again from its usual address.";
    }
    /// The platform let the person not in.
    SignInRefused "G-25" 403 {
        ja: "アプリへのサインインが認められませんでした", "アプリのページを開き直してください。続くときはコードを添えて管理者へご連絡ください。";
        en: "The sign-in to the app was refused", "Open the app again. If it is refused again, tell your administrator this code.";
    }
    /// The platform cannot be reached for a sign-in, or its answer cannot be used.
    SignInUnavailable "G-26" 503 {
        ja: "いまはサインインできません", "しばらくしてから、アプリのページを開き直してください。続くときはコードをサポートへお知らせください。";
        en: "Nobody can sign in right now", "Open the app again shortly. If it lasts, tell support this code.";
    }

    // L: Status lists.
    /// A status list as it was at an earlier time.
    NoHistory "L-01" 501 {
        ja: "過去の状態はお答えできません", "time を付けずに、いまの一覧をお求めください。";
        en: "Lists of the past are not kept", "Ask for the present list, without time.";
    }
    /// A form that there is not.
    NotAcceptable "L-02" 406 {
        ja: "求められた形式では用意していません", "application/statuslist+jwt でお求めください。";
        en: "It is not there in the form that was asked for", "Accept application/statuslist+jwt.";
    }

    // T: The token endpoint.
    /// A refresh token that is unknown, another device's, replaced, given back or too old.
    SessionEnded "T-01" 400 {
        ja: "この端末でのログインは終了しています", "もう一度ログインしてください。";
        en: "The sign-in on this device has ended", "Sign in again.";
    }
    /// The proof of who the person is does not hold.
    PersonUnproven "T-02" 400 {
        ja: "ログインの証明を確認できません", "ログインし直してください。続くときはコードを添えて管理者へご連絡ください。";
        en: "The proof of the person's sign-in does not hold", "Sign in again. If it goes on, tell your administrator this code.";
    }
    /// A person of another company or store than the device's.
    PersonElsewhere "T-03" 403 {
        ja: "この端末を使える方ではありません", "ご自身の店舗の端末をお使いください。心当たりがないときは、コードを添えて管理者へご連絡ください。";
        en: "This person and this device do not belong together", "Use a device of your own store. If that surprises you, tell your administrator this code.";
    }
    /// The product exists, but not for this tenant or site.
    ProductNotLicensed "T-04" 403 {
        ja: "この店舗ではご利用いただけないサービスです", "ご契約の内容を管理者にお確かめください。";
        en: "This product is not licensed for this store", "Ask your administrator which products the contract covers.";
    }
    /// There is no product of this name.
    ProductUnknown "T-05" 400 {
        ja: "そのようなサービスはありません", "サービスの名前を確かめてください。";
        en: "There is no such product", "Name a product by its resource, as the installation's operator has configured it.";
    }
    /// An authorization code that is unknown, used, too old, another client's or device's, or shown with a wrong verifier.
    CodeRefused "T-06" 400 {
        ja: "サインインを完了できませんでした", "サービスの画面を開き直し、サインインからやり直してください。";
        en: "The sign-in could not be completed", "Open the product again and sign in once more.";
    }
    /// A request to authorize that names no client there is.
    ClientUnknown "T-10" 400 {
        ja: "登録されていないサービスからのサインインの依頼です", "開こうとしたサービスの担当者に、コードをお知らせください。";
        en: "The product that asks for a sign-in is not registered", "Tell whoever runs the product you wanted to open this code.";
    }
    /// A request to authorize whose answer would go to an address that was not registered.
    RedirectUnregistered "T-11" 400 {
        ja: "戻り先が登録されていないため、サインインを続けられません", "開こうとしたサービスの担当者に、コードをお知らせください。";
        en: "The address to return to is not registered", "Tell whoever runs the product you wanted to open this code.";
    }
    /// A request to authorize that was used, is too old, or began on another device.
    AuthorizationRequestOver "T-12" 400 {
        ja: "このサインインの依頼は終了しています", "サービスの画面を開き直してください。";
        en: "This request to sign in is over", "Open the product again.";
    }
    /// The product asks for more than the sign-in proves.
    SignInTooWeak "T-13" 403 {
        ja: "いまのサインインの方法では、このサービスを使えません", "一度サインアウトしてから、認証アプリの確認コードでサインインし直してください。緊急用コードでは使えません。";
        en: "The product asks for a stronger sign-in", "Sign in with the code of your authenticator app, not with an emergency code.";
    }
    /// A request to sign out that names another's sign-in, or an address to go on to that was not registered.
    SignOutMalformed "T-14" 400 {
        ja: "サインアウトの依頼を受け付けられません", "サインアウトするには、アカウントの画面をお使いください。";
        en: "This request to sign out cannot be followed", "Sign out on the page of your account.";
    }
    /// The token by which a client registers or manages itself is missing, unknown, used up or over.
    RegistrationTokenRefused "T-15" 401 {
        ja: "クライアント登録用のトークンを受け付けられません", "期限と回数を確かめ、運用者に新しいトークン(tegata client issue-token または rotate)を依頼してください。";
        en: "The token for registering clients is not accepted", "Check that it is neither over nor used up; ask the operator for another one: tegata client issue-token, or rotate.";
    }
    /// A registration names an address that codes cannot be sent to.
    RedirectUriUnfit "T-16" 400 {
        ja: "登録しようとした戻り先を使えません", "https の(または localhost の)アドレスを、フラグメント、ユーザー名、.. を使わずに書いてください。";
        en: "A redirect URI cannot be registered", "Write an address of https or of localhost, without fragment, user or dots in its path.";
    }
    /// A registration that cannot be served as it is.
    ClientMetadataUnfit "T-17" 400 {
        ja: "クライアントの登録の内容を受け付けられません", "error_description の項目を直してください。認証方式は none、tls_client_auth、self_signed_tls_client_auth のどれかです。";
        en: "The registration of the client cannot be accepted", "Correct what error_description names. The methods are none, tls_client_auth and self_signed_tls_client_auth.";
    }
    /// A DPoP proof that is missing, used, too old, or of another key, method, address or token.
    DpopProofInvalid "T-20" 401 {
        ja: "DPoP の証明を確認できません", "要求ごとに新しい証明を作り、端末の時刻を確かめてください。";
        en: "The DPoP proof does not hold", "Make a fresh proof for each request, and check the clock of the client.";
    }
    /// No transfer in which the person's tenant takes part is the one that was named.
    TransferUnknown "T-30" 404 {
        ja: "その事業譲渡の計画は見つかりません", "一覧を開き直して、もう一度お選びください。ほかの会社どうしの計画は表示されません。";
        en: "There is no such transfer", "Open the list again and choose from it. Transfers between other companies are not shown.";
    }
    /// A plan that cannot be kept: its minute, its sites or the other company.
    TransferPlanUnfit "T-31" 409 {
        ja: "この計画は登録できません", "日時が1分以上先であること、相手の会社コードが正しいこと、店舗がほかの計画に入っていないことを確かめてください。";
        en: "The plan cannot be kept", "Check that its time is to come, that the other company's code is right, and that no site is part of another plan.";
    }
    /// Somebody has changed the plan since it was looked at.
    TransferChangedMeanwhile "T-32" 412 {
        ja: "画面を開いたあとに、計画が変更されました", "何も変更していません。計画を開き直し、いまの内容を確かめてから、もう一度操作してください。";
        en: "The plan was changed meanwhile", "Nothing was changed. Open the plan again, see what it says now, and repeat what you did.";
    }
    /// It has begun or ended, or this was done before.
    TransferStateOtherwise "T-33" 409 {
        ja: "いまの状態では、この操作はできません", "すでに始まったか、終わったか、承認が済んでいます。計画の画面で、いまの状態を確かめてください。";
        en: "This cannot be done as the transfer stands", "It has begun or ended, or this side has approved. The page of the transfer says how it stands.";
    }

    // U: People who sign in, and what they may do (from 20).
    /// The login, the password or the second factor is wrong, or there is no such person: one answer for all of them.
    SignInWrong "U-01" 401 {
        ja: "サインインできませんでした", "ログインID、パスワード、確認コードのどれかが違います。大文字と小文字、アプリに出ている最新の6桁を確かめて、もう一度入力してください。";
        en: "The sign-in failed", "The login ID, the password or the code is wrong. Check capital letters and the 6 digits your app shows now, and try again.";
    }
    /// Too many wrong attempts lately.
    TooManySignIns "U-02" 429 {
        ja: "間違いが続いたため、しばらくサインインを受け付けません", "10分ほど待ってから、もう一度お試しください。いつもお使いの端末からは、すぐにサインインできることがあります。";
        en: "Too many wrong attempts: no sign-in is accepted for a while", "Wait ten minutes and try again. On the device you usually use it may work at once.";
    }
    /// There is no session, or it has ended.
    SignInNeeded "U-03" 401 {
        ja: "サインインが必要です", "しばらく操作がなかったときや、サインアウトしたときは、もう一度サインインしてください。";
        en: "Sign in first", "After a while without activity, and after signing out, a new sign-in is needed.";
    }
    /// The person was stopped; said to nobody who has not proved to be them.
    PersonDisabled "U-04" 403 {
        ja: "このアカウントは停止されています", "再開は、コードを添えて管理者へご依頼ください。";
        en: "This account is disabled", "Ask your administrator to enable it, and tell them this code.";
    }
    /// A form that was not made for this browser and this sign-in.
    FormOutdated "U-05" 403 {
        ja: "画面を開いてから時間がたったため、受け付けられません", "ページを読み込み直してから、もう一度お試しください。";
        en: "This page is out of date", "Load the page again and repeat what you did.";
    }
    /// A passkey that is unknown, was removed, or whose answer does not hold.
    PasskeyWrong "U-06" 401 {
        ja: "このパスキーではサインインできませんでした", "もう一度お試しください。続くときは、パスワードと確認コードでサインインし、アカウントの画面でパスキーを登録し直してください。";
        en: "This passkey did not sign you in", "Try again. If it goes on, sign in with password and code, and register the passkey anew on your account page.";
    }
    /// A passkey whose counter went back: somebody else may have a copy of it.
    PasskeyCopied "U-07" 403 {
        ja: "このパスキーは複製されたおそれがあるため使えません", "パスワードと確認コードでサインインし、アカウントの画面でこのパスキーを削除してから、コードを添えて管理者へご連絡ください。";
        en: "This passkey may have been copied and is not accepted", "Sign in with password and code, remove this passkey on your account page, and tell your administrator this code.";
    }
    /// A passkey that the account, or another one, has already.
    PasskeyKnown "U-08" 409 {
        ja: "このパスキーはすでに登録されています", "登録済みのパスキーでサインインできます。別のパスキーを登録するときは、ほかの端末やセキュリティキーをお使いください。";
        en: "This passkey is registered already", "You can sign in with it. To register another, use another device or security key.";
    }
    /// A passkey that cannot be registered: it verified nobody, is of a kind that is not taken, or its answer does not hold.
    PasskeyUnfit "U-09" 422 {
        ja: "このパスキーは登録できません", "指紋や顔、PINで本人を確認できる端末かセキュリティキーで、もう一度お試しください。";
        en: "This passkey cannot be registered", "Try again with a device or security key that checks who you are, by fingerprint, face or PIN.";
    }
    /// No living setup link has this code.
    SetupLinkUnknown "U-10" 404 {
        ja: "この設定用リンクは使えません", "リンクは一度だけ使えます。設定がお済みでなければ、リンクが途中で切れていないか確かめ、管理者に新しいリンクを依頼してください。";
        en: "This setup link does not work", "A link works once. If you have not set up your account, check that the link is complete, or ask your administrator for a new one.";
    }
    /// The setup link is too old.
    SetupLinkExpired "U-11" 410 {
        ja: "設定用リンクの期限が切れています", "管理者に新しいリンクを依頼してください。";
        en: "This setup link has expired", "Ask your administrator for a new one.";
    }
    /// The account has as many passkeys as anybody may have.
    PasskeysFull "U-12" 409 {
        ja: "パスキーは20個まで登録できます", "使っていないパスキーをアカウントの画面で削除してから、もう一度登録してください。";
        en: "An account has 20 passkeys at most", "Remove one that you no longer use on your account page, and register the new one again.";
    }
    /// The role of the person does not reach that far.
    RoleMayNot "U-20" 403 {
        ja: "この操作をする権限がありません", "必要なときは、管理者へご依頼ください。";
        en: "Your role does not allow this", "Ask your administrator if it has to be done.";
    }
    /// Support acts without saying why.
    ReasonMissing "U-21" 400 {
        ja: "理由と受付番号が必要です", "サポートの操作には、理由と問い合わせの受付番号を入力してください。";
        en: "A reason and a ticket are needed", "Whoever acts for support says why, and by which ticket.";
    }
    /// Somebody would decide on their own request.
    OwnRequest "U-22" 403 {
        ja: "ご自身に関わることは、ご自身では決められません", "ほかの管理者に承認を依頼してください。";
        en: "Nobody decides on a request of their own", "Ask another administrator to decide.";
    }
    /// Somebody asks more often what is on file than a conversation needs.
    TooManyChecks "U-23" 429 {
        ja: "登録内容の照合が続いたため、しばらく受け付けません", "1時間ほど待ってから、もう一度お試しください。急ぐときは、その会社の管理者に確かめてください。";
        en: "Too many checks of what is on file: none is made for a while", "Wait an hour and try again. If it is urgent, ask the administrator of that tenant.";
    }
    /// No token for a directory, or one that has ended.
    ScimTokenWrong "U-30" 401 {
        ja: "このトークンは使えません", "期限切れか、取り消された可能性があります。運用者に新しい SCIM トークンの発行を依頼してください。";
        en: "This token does not work", "It may have expired or been revoked. Ask the installation's operator for a new SCIM token.";
    }
    /// Another person of the tenant has the login or the external key.
    PersonKnown "U-31" 409 {
        ja: "このログインIDか外部キーは、ほかの利用者が使っています", "すでに登録されている利用者を確かめ、重ならない値にしてください。";
        en: "Another person has this login ID or external key", "Look for the person who is there already, and use values that nobody has.";
    }
    /// A login ID would be changed.
    LoginFixed "U-32" 400 {
        ja: "ログインIDは変更できません", "ログインIDは一度だけ決めるものです。変えるときは、新しい利用者として登録し、前の利用者を停止してください。";
        en: "A login ID never changes", "It is given once. For another one, add the person anew and disable the person who was there.";
    }
    /// A token of a directory may not give this role, or act on somebody who has it.
    RoleNotGranted "U-33" 403 {
        ja: "このトークンでは扱えない役割です", "トークンに許可された役割だけを使ってください。追加は運用者に依頼してください。";
        en: "This token may not give this role or act on whoever has it", "Use the roles that the token was made for, or ask the installation's operator for another token.";
    }
    /// A site that a person is to work at is not there.
    PersonSiteUnknown "U-34" 404 {
        ja: "店舗が見つかりません", "店舗の名前、番号、外部キーのどれかを確かめてください。同じ名前の店舗が複数あるときは番号を使ってください。";
        en: "There is no such site", "Check its name, identifier or external key; use the identifier where several sites have one name.";
    }
    /// What is said of a person cannot be taken.
    PersonUnfit "U-35" 400 {
        ja: "利用者の内容に使えないものがあります", "ログインID、名前、外部キー、役割を確かめてください。";
        en: "Something that is said of the person cannot be taken", "Check login ID, name, external key and roles.";
    }
    /// Staff without a site.
    PersonSiteMissing "U-36" 400 {
        ja: "店舗の指定がありません", "staff と site-manager には、店舗を1つ以上指定してください。";
        en: "A site is missing", "Staff and site managers work at one site at least: name it.";
    }
    /// A hash of a password that is of no kind that is taken, or costs too much to check.
    PasswordHashUnfit "U-37" 400 {
        ja: "このパスワードのハッシュは取り込めません", "取り込めるのは Argon2、bcrypt、PBKDF2 です。計算の負荷が大きすぎるものも取り込めません。利用者には設定用リンクを渡してください。";
        en: "This hash of a password cannot be imported", "Argon2, bcrypt and PBKDF2 are taken, unless they cost too much to check. Give the person a setup link instead.";
    }
    /// There is no such person in this tenant.
    PersonUnknown "U-38" 404 {
        ja: "利用者が見つかりません", "番号を確かめてください。ログインIDで検索することもできます。";
        en: "There is no such person", "Check the identifier, or look for the login ID.";
    }
    /// A filter, a path or a value of a directory's request that is not taken.
    ScimRequestUnfit "U-39" 400 {
        ja: "要求の内容を読み取れません", "フィルター、パス、値を確かめてください。使えるものは /scim/v2/Schemas と説明書にあります。";
        en: "The request cannot be taken", "Check filter, path and value: /scim/v2/Schemas and the documentation say what is taken.";
    }
    /// Somebody else has changed it since it was read (If-Match).
    ScimVersionOutdated "U-40" 412 {
        ja: "読み取ったあとに内容が変わっています", "もう一度読み取ってから、やり直してください。";
        en: "It was changed since it was read", "Read it again and repeat what you did.";
    }
    /// The last person who can administrate would be stopped, or lose the role.
    LastAdministrator "U-41" 409 {
        ja: "最後の管理者は、停止も役割の変更もできません", "先に、ほかの人を管理者(tenant-admin か operator)にしてください。";
        en: "The last administrator can neither be stopped nor lose the role", "Give somebody else the role first: tenant-admin, or operator.";
    }
    /// A list names one person on two lines.
    PersonTwice "U-42" 409 {
        ja: "同じ利用者が前の行にもあります", "1人につき1行にしてください。";
        en: "An earlier line is about this person", "Use one line a person.";
    }
    /// An account for emergencies is the operator's to change.
    EmergencyAccountKept "U-43" 403 {
        ja: "緊急用のアカウントは変更できません", "変更は運用者に依頼してください。";
        en: "Accounts for emergencies are not changed here", "Ask the installation's operator.";
    }
    /// Sites are neither made nor removed by a directory.
    SitesFixed "U-44" 403 {
        ja: "店舗の追加と削除はここではできません", "店舗の追加は運用者に依頼してください。店舗に利用者を割り当てることはできます。";
        en: "Sites are neither added nor removed here", "Ask the installation's operator to add one. Who works at a site can be said here.";
    }
    /// There is no such review, or the person is none of those who are left in it.
    ReviewUnknown "U-45" 404 {
        ja: "確認待ちの利用者ではありません", "ほかの人がすでに答えたか、確認が終わっています。一覧をもう一度ご覧ください。";
        en: "The person is not waiting for this review", "Somebody else has answered, or the review is over. Look at the list again.";
    }
    /// The provider of the person's tenant cannot be reached, or is too slow.
    ProviderUnavailable "U-50" 503 {
        ja: "会社の認証サービス(OpenID プロバイダー)から応答がありません", "少し待ってから、もう一度お試しください。続くときは、コードを添えて、会社の認証サービスの担当者へご連絡ください。";
        en: "Your company's sign-in service (OpenID provider) does not answer", "Wait a little and try again. If it goes on, tell whoever runs your company's sign-in service this code.";
    }
    /// What the provider or the browser brought is no sign-in: the provider refused, or its answer does not hold.
    ProviderSignInFailed "U-51" 403 {
        ja: "会社の認証サービスでのサインインが完了しませんでした", "もう一度、最初からサインインしてください。続くときは、コードと時刻を添えて管理者へご連絡ください。";
        en: "The sign-in at your company's sign-in service was not completed", "Sign in again from the beginning. If it goes on, tell your administrator this code and the time.";
    }
    /// The browser did not begin this sign-in, began another since, or too long ago.
    ProviderSignInOver "U-52" 403 {
        ja: "このサインインは、この端末のこの画面から始まったものではないか、時間がたちすぎています", "もう一度、最初からサインインしてください。心当たりのないリンクを開いたときは、この画面を閉じてください。";
        en: "This sign-in was not begun in this browser on this device, or too long ago", "Sign in again from the beginning. If you came by a link that you did not expect, close this page.";
    }
    /// The provider's account is linked to nobody here.
    PersonNotLinked "U-53" 403 {
        ja: "会社の認証サービスのアカウントが、このシステムの利用者と結び付けられていません", "会社の管理者に、コードを添えて、アカウントの結び付けを依頼してください。";
        en: "Your account at your company's sign-in service is linked to no account here", "Ask your company's administrator to link it, and tell them this code.";
    }
    /// The tenant lets its people sign in at its provider alone.
    LocalAccountClosed "U-54" 403 {
        ja: "この会社では、会社の認証サービスからサインインします", "「会社のアカウントでサインイン」を使ってください。";
        en: "In this company people sign in at the company's sign-in service", "Choose to sign in with your company's account.";
    }
    /// Nobody has said which provider the tenant has.
    ProviderMissing "U-55" 404 {
        ja: "会社の認証サービスが、このシステムに登録されていません", "コードを添えて管理者へご連絡ください。";
        en: "No sign-in service of your company is registered here", "Tell your administrator this code.";
    }
    /// The tenant lets its provider make accounts, and the provider names no site where the person works.
    PersonWithoutSite "U-56" 403 {
        ja: "どの店舗で働いているかが登録されていないため、サインインできません", "会社の管理者に「U-56 と表示された」と伝え、勤務先の店舗を登録してもらってください。";
        en: "Your company's sign-in service names no site of this company for you", "Ask your company's administrator whether the site where you work is registered for you.";
    }
    /// A logout token that is not believed, or was used before.
    LogoutTokenRefused "U-57" 400 {
        ja: "ログアウトトークンを受け付けられません", "発行者、aud、exp、iat、jti、events を確かめ、同じトークンを二度送らないでください。";
        en: "The logout token is not accepted", "Check iss, aud, exp, iat, jti and events, and send no token twice.";
    }
    /// Somebody has changed the person since it was read.
    PersonChangedMeanwhile "U-60" 412 {
        ja: "画面を開いたあとに、別の人がこの利用者を変更しました", "何も変更していません。利用者の画面を開き直し、いまの内容を確かめてから、もう一度操作してください。";
        en: "Somebody has changed the person meanwhile", "Nothing was changed. Load the person again, see how it is now, and repeat what you did.";
    }
    /// The person is not in the state in which this can be done.
    PersonStateOtherwise "U-61" 409 {
        ja: "この利用者には、いまこの操作はできません", "何も変更していません。停止中か、設定がまだか、すでに済んでいます。利用者の画面で、いまの状態を確かめてください。";
        en: "This cannot be done to the person as they are", "Nothing was changed. They are disabled, have not set up the account, or it was done already: look at the person again.";
    }

    // V: Streams of security events.
    /// No stream of security events of this name is the client's.
    StreamUnknown "V-01" 404 {
        ja: "このクライアントのイベントストリームではありません", "stream_id を確かめてください。ストリームは運用者が設定します。";
        en: "This client has no such stream of security events", "Check stream_id. Streams are written down by the installation's operator.";
    }
    /// The operator has stopped the stream.
    StreamHeld "V-02" 403 {
        ja: "このストリームは運用者が停止しています", "再開は運用者に依頼してください。";
        en: "The operator has stopped this stream", "Only the installation's operator lets it go on: ask there.";
    }
    /// Streams are made, changed and deleted by the operator alone.
    StreamFixed "V-03" 403 {
        ja: "ストリームの設定は運用者だけが変更できます", "作成・変更・削除は運用者に依頼してください。状態の変更と検証は行えます。";
        en: "Streams are configured by the operator", "Ask the installation's operator to make, change or delete one. Status and verification are the receiver's own.";
    }
}
