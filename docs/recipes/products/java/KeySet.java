import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The keys that sign, as the platform publishes them (RFC 7517), and what they signed. */
final class KeySet {
    /** So long a key that was withdrawn is believed. */
    private static final long KEYS_LIVE_MS = 60_000;
    /** Whoever sends unknown names of keys makes the product ask the platform no oftener than this. */
    private static final long KEYS_REST_MS = 5_000;
    /** Seconds between the clocks. */
    private static final long LEEWAY = 5;

    interface Source {
        Map<String, Object> fetch() throws IOException, InterruptedException;
    }

    /** Why something that was signed is not believed. */
    static final class Bad extends Exception {
        Bad(String why) {
            super(why);
        }
    }

    private final Source source;
    private Map<String, PublicKey> keys;
    private long asked;

    KeySet(Source source) {
        this.source = source;
    }

    /** The signature with ES256, and what all that is signed says about itself. */
    Map<String, Object> verify(String text, String type, List<String> issuers, String audience)
            throws Bad, IOException, InterruptedException {
        var malformed = new Bad("is malformed or of another type");
        var parts = text.split("\\.", -1);
        if (parts.length != 3) {
            throw malformed;
        }
        Map<String, Object> header;
        Map<String, Object> claims;
        byte[] signature;
        try {
            header = decoded(parts[0]);
            claims = decoded(parts[1]);
            signature = Base64.getUrlDecoder().decode(parts[2]);
        } catch (IllegalArgumentException error) {
            throw malformed;
        }
        if (!"ES256".equals(header.get("alg")) || !type.equals(header.get("typ")) || header.containsKey("crit")) {
            throw malformed;
        }
        var key = named(header.get("kid"));
        if (key == null || !isSigned(key, parts[0] + "." + parts[1], signature)) {
            throw new Bad("is signed by no present key");
        }
        if (!(claims.get("exp") instanceof Number exp) || !(claims.get("iat") instanceof Number iat)) {
            throw malformed;
        }
        var now = System.currentTimeMillis() / 1000;
        if (!issuers.contains(claims.get("iss"))) {
            throw new Bad("is of another issuer");
        }
        var named = claims.get("aud");
        if (!audience.equals(named) && !(named instanceof List<?> list && list.contains(audience))) {
            throw new Bad("is for another product");
        }
        if (exp.doubleValue() + LEEWAY <= now) {
            throw new Bad("has expired");
        }
        var begins = claims.get("nbf") instanceof Number nbf ? nbf.doubleValue() : 0;
        if (Math.max(iat.doubleValue(), begins) - LEEWAY > now) {
            throw new Bad("is not valid yet: compare the clocks");
        }
        return claims;
    }

    private static Map<String, Object> decoded(String part) {
        return Json.object(Json.parse(new String(Base64.getUrlDecoder().decode(part), StandardCharsets.UTF_8)));
    }

    private static boolean isSigned(PublicKey key, String text, byte[] signature) {
        try {
            var verifier = Signature.getInstance("SHA256withECDSAinP1363Format");
            verifier.initVerify(key);
            verifier.update(text.getBytes(StandardCharsets.US_ASCII));
            return verifier.verify(signature);
        } catch (GeneralSecurityException error) {
            return false;
        }
    }

    /** The key of this name, or null where the platform publishes none. */
    private synchronized PublicKey named(Object kid) throws IOException, InterruptedException {
        var age = (System.nanoTime() - asked) / 1_000_000;
        if (keys == null || age > KEYS_LIVE_MS || !keys.containsKey(kid) && age > KEYS_REST_MS) {
            keys = read(source.fetch());
            asked = System.nanoTime();
        }
        return keys.get(kid);
    }

    private static Map<String, PublicKey> read(Map<String, Object> set) throws IOException {
        var keys = new HashMap<String, PublicKey>();
        try {
            var p256 = AlgorithmParameters.getInstance("EC");
            p256.init(new ECGenParameterSpec("secp256r1"));
            var curve = p256.getParameterSpec(ECParameterSpec.class);
            for (var one : (List<?>) set.get("keys")) {
                var jwk = Json.object(one);
                if ("EC".equals(jwk.get("kty")) && "P-256".equals(jwk.get("crv"))) {
                    var point = new ECPoint(coordinate(jwk.get("x")), coordinate(jwk.get("y")));
                    var key = KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, curve));
                    keys.put((String) jwk.get("kid"), key);
                }
            }
        } catch (GeneralSecurityException | RuntimeException error) {
            throw new IOException("the platform's keys cannot be read", error);
        }
        return keys;
    }

    private static BigInteger coordinate(Object text) {
        return new BigInteger(1, Base64.getUrlDecoder().decode((String) text));
    }
}
