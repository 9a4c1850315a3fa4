import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Lets enrolled devices in and nobody else. It knows no framework: a servlet's filter calls {@link #admit} as well. The
 * settings are in the environment; rezept.env has them all.
 */
final class Tegata {
    private static final System.Logger LOG = System.getLogger("tegata");

    private final String issuer = setting("TEGATA_ISSUER");
    private final String audience = setting("TEGATA_AUDIENCE");
    /** Where a gate stands before the product, the names of those gates. */
    private final List<String> gates;
    private final HttpClient http;
    private final String introspection;
    private final KeySet keys;

    record Device(String device, String tenant, String site, long generation) {
        static Device of(Map<String, Object> claims) {
            return new Device((String) claims.get("device"), (String) claims.get("tenant"), (String) claims.get("site"),
                claims.get("generation") instanceof Number number ? number.longValue() : 0);
        }
    }

    /** Why somebody does not pass, in words without secrets: they go into the answer and the log. */
    static final class Refused extends Exception {
        private final int status;
        private final String error;

        Refused(int status, String error, String description) {
            super(description);
            this.status = status;
            this.error = error;
        }

        static Refused token(String description) {
            return new Refused(401, "invalid_token", description);
        }

        static Refused assertion(String description) {
            return new Refused(400, "invalid_request", description);
        }

        static Refused unavailable() {
            return new Refused(503, "temporarily_unavailable", "the platform cannot be asked");
        }

        int status() {
            return status;
        }

        Map<String, String> headers() {
            var headers = new LinkedHashMap<>(Map.of("Cache-Control", "no-store"));
            if (status == 503) {
                headers.put("Retry-After", "1");
            } else if (error == null) {
                // RFC 6750 section 3.1: no error code for whoever sent no token.
                headers.put("WWW-Authenticate", "Bearer");
            } else {
                var challenge = "Bearer error=\"%s\", error_description=\"%s\"";
                headers.put("WWW-Authenticate", challenge.formatted(error, getMessage()));
            }
            return headers;
        }

        String body() {
            var description = "\"error_description\":\"" + getMessage() + "\"}";
            return error == null ? "{" + description : "{\"error\":\"" + error + "\"," + description;
        }
    }

    Tegata() throws IOException, GeneralSecurityException, InterruptedException {
        var named = System.getenv().getOrDefault("TEGATA_GATES", "");
        gates = Arrays.stream(named.split(" ")).filter(name -> !name.isEmpty()).toList();
        http = HttpClient.newBuilder().sslContext(Pem.platform(isBehindGate())).connectTimeout(Duration.ofSeconds(1)).build();
        var metadata = ask(HttpRequest.newBuilder(URI.create(issuer + "/.well-known/oauth-authorization-server")));
        if (!issuer.equals(metadata.get("issuer"))) {
            throw new IOException("TEGATA_ISSUER is " + issuer + ", the platform is " + metadata.get("issuer"));
        }
        introspection = (String) Json.object(metadata.get("mtls_endpoint_aliases")).get("introspection_endpoint");
        var at = URI.create((String) metadata.get(isBehindGate() ? "tegata_gate_jwks_uri" : "jwks_uri"));
        keys = new KeySet(() -> ask(HttpRequest.newBuilder(at)));
    }

    static String setting(String name) {
        var value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException(name + " is not set");
        }
        return value;
    }

    boolean isBehindGate() {
        return !gates.isEmpty();
    }

    /**
     * The device that may make this request. `path` is as the client wrote it, without the query; the names in `headers`
     * are in the form of {@link com.sun.net.httpserver.Headers}; `presented` is null where the connection has no
     * certificate.
     */
    Device admit(String method, String path, Map<String, List<String>> headers, X509Certificate presented) throws Refused {
        var certificate = presented == null ? "" : thumbprint(presented);
        try {
            return isBehindGate() ? byAssertion(method, path, headers) : byToken(headers, certificate);
        } catch (Refused refused) {
            throw logged(refused, certificate);
        } catch (IOException | RuntimeException unexpected) {
            throw logged(Refused.unavailable(), certificate);
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
            throw logged(Refused.unavailable(), certificate);
        }
    }

    private static Refused logged(Refused refused, String certificate) {
        var line = "refused status=%d error=%s description=\"%s\" certificate=%s";
        var error = refused.error == null ? "-" : refused.error;
        var shown = certificate.isEmpty() ? "-" : certificate;
        LOG.log(System.Logger.Level.WARNING, line.formatted(refused.status, error, refused.getMessage(), shown));
        return refused;
    }

    /** A token that is bound to the certificate of its connection, and lives. */
    private Device byToken(Map<String, List<String>> headers, String certificate)
            throws Refused, IOException, InterruptedException {
        var authorization = one(headers, "Authorization").trim().split(" +", 2);
        if (authorization.length != 2 || !authorization[0].equalsIgnoreCase("Bearer")) {
            throw new Refused(401, null, "no access token");
        }
        var token = authorization[1];
        var claims = verified("the access token", token, "at+jwt", List.of(issuer), Refused::token);
        var bound = claims.get("cnf") instanceof Map<?, ?> confirmation ? confirmation.get("x5t#S256") : null;
        if (bound == null) {
            throw Refused.token("the access token is bound to no certificate");
        }
        if (certificate.isEmpty()) {
            throw Refused.token("no client certificate on the connection: does a proxy before the product end TLS?");
        }
        if (!certificate.equals(bound)) {
            throw Refused.token("the access token is bound to another certificate than the connection's");
        }
        if (!isLive(token)) {
            throw Refused.token("the access token, its device or its certificate was stopped");
        }
        return Device.of(claims);
    }

    /** What the gate before the product says, signed, about this very request. */
    private Device byAssertion(String method, String path, Map<String, List<String>> headers)
            throws Refused, IOException, InterruptedException {
        var assertion = one(headers, "Tegata-assertion");
        if (assertion.isEmpty()) {
            throw Refused.assertion(
                "Tegata-Assertion is missing: the request did not pass the gate, or the proxy drops the header");
        }
        var claims = verified("Tegata-Assertion", assertion, "tegata-assertion+jwt", gates, Refused::assertion);
        if (!method.equals(claims.get("htm")) || !path.equals(claims.get("path"))) {
            throw Refused.assertion("Tegata-Assertion is for another request");
        }
        return Device.of(claims);
    }

    private Map<String, Object> verified(String what, String text, String type, List<String> issuers,
            Function<String, Refused> refused) throws Refused, IOException, InterruptedException {
        try {
            return keys.verify(text, type, issuers, audience);
        } catch (KeySet.Bad bad) {
            throw refused.apply(what + " " + bad.getMessage());
        }
    }

    private static String one(Map<String, List<String>> headers, String name) {
        return String.join(", ", headers.getOrDefault(name, List.of()));
    }

    private static String thumbprint(X509Certificate certificate) {
        try {
            var hash = MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
            return Base64.getUrlEncoder().withoutPadding().encodeToString(hash);
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662). */
    private boolean isLive(String token) throws IOException, InterruptedException {
        var form = "token=" + escaped(token) + "&client_id=" + escaped(setting("TEGATA_CLIENT_ID"));
        var request = HttpRequest.newBuilder(URI.create(introspection)).POST(BodyPublishers.ofString(form));
        return Boolean.TRUE.equals(ask(request.header("Content-Type", "application/x-www-form-urlencoded")).get("active"));
    }

    private static String escaped(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private Map<String, Object> ask(HttpRequest.Builder request) throws IOException, InterruptedException {
        var answer = http.send(request.timeout(Duration.ofSeconds(3)).build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException(answer.uri() + ": " + answer.statusCode());
        }
        return Json.object(Json.parse(answer.body()));
    }
}
