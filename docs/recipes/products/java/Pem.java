import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** TLS from PEM files. */
final class Pem {
    private static final char[] NO_PASSWORD = new char[0];

    private Pem() {}

    /** For connections to the platform, with the identity that asks unless only public things are asked for. */
    static SSLContext platform(boolean anonymous) throws IOException, GeneralSecurityException {
        var trusted = empty();
        for (var anchor : certificates(Tegata.setting("TEGATA_TLS_CA"))) {
            trusted.setCertificateEntry("anchor-" + trusted.size(), anchor);
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        var identity = anonymous ? null : Path.of(Tegata.setting("TEGATA_IDENTITY"));
        var own = anonymous ? null : own(identity.resolve("chain.pem").toString(), identity.resolve("key.pem").toString());
        return context(own, trust.getTrustManagers());
    }

    /** For connections of devices. Every certificate is taken, because the token says which one it must be. */
    static SSLContext anyDevice() throws IOException, GeneralSecurityException {
        var own = own(Tegata.setting("TLS_CERTIFICATE"), Tegata.setting("TLS_KEY"));
        var hints = certificates(Tegata.setting("TEGATA_CLIENT_CA"));
        return context(own, new TrustManager[] {new AnyDevice(hints)});
    }

    private static SSLContext context(KeyManager[] own, TrustManager[] trust) throws GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        context.init(own, trust, null);
        return context;
    }

    private static KeyManager[] own(String chain, String key) throws IOException, GeneralSecurityException {
        var certificates = certificates(chain);
        var store = empty();
        store.setKeyEntry("own", key(key, certificates[0]), NO_PASSWORD, certificates);
        var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, NO_PASSWORD);
        return keys.getKeyManagers();
    }

    /** A key in PKCS #8, which is what `tegata` and newer versions of OpenSSL write. */
    private static PrivateKey key(String file, Certificate certificate) throws IOException, GeneralSecurityException {
        var base64 = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----", "");
        var spec = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64));
        return KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm()).generatePrivate(spec);
    }

    private static X509Certificate[] certificates(String file) throws IOException, GeneralSecurityException {
        try (var text = Files.newInputStream(Path.of(file))) {
            return CertificateFactory.getInstance("X.509").generateCertificates(text).toArray(X509Certificate[]::new);
        }
    }

    private static KeyStore empty() throws IOException, GeneralSecurityException {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static final class AnyDevice extends X509ExtendedTrustManager {
        private final X509Certificate[] hints;

        AnyDevice(X509Certificate[] hints) {
            this.hints = hints;
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return hints.clone();
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {
            throw new UnsupportedOperationException();
        }
    }
}
