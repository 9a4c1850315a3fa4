// A product in Java that lets enrolled devices in and nobody else, with the JDK alone (17 or newer).
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.util.concurrent.Executors;
import javax.net.ssl.SSLPeerUnverifiedException;

final class Product {
    private Product() {}

    public static void main(String[] arguments) throws Exception {
        // One line for each message, and an end to requests that do not come.
        System.setProperty("java.util.logging.SimpleFormatter.format", "%5$s%n");
        System.setProperty("sun.net.httpserver.maxReqTime", "10");
        // A ticket would let a session be resumed that is invalidated here.
        System.setProperty("jdk.tls.server.enableSessionTicketExtension", "false");
        var tegata = new Tegata();
        var address = new InetSocketAddress(Tegata.setting("HOST"), Integer.parseInt(Tegata.setting("PORT")));
        // Where a gate stands before the product, it or its proxy ends TLS.
        var server = tegata.isBehindGate() ? HttpServer.create(address, 0) : overTls(address);
        server.createContext("/", exchange -> serve(tegata, exchange));
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.start();
    }

    private static HttpServer overTls(InetSocketAddress address) throws Exception {
        var server = HttpsServer.create(address, 0);
        server.setHttpsConfigurator(new HttpsConfigurator(Pem.anyDevice()) {
            @Override
            public void configure(HttpsParameters parameters) {
                var tls = getSSLContext().getDefaultSSLParameters();
                // Whoever has no certificate reads why instead of a broken connection.
                tls.setWantClientAuth(true);
                parameters.setSSLParameters(tls);
            }
        });
        return server;
    }

    private static void serve(Tegata tegata, HttpExchange exchange) throws IOException {
        try (exchange) {
            var certificate = presented(exchange);
            var uri = exchange.getRequestURI();
            var headers = exchange.getRequestHeaders();
            try {
                var device = tegata.admit(exchange.getRequestMethod(), uri.getRawPath(), headers, certificate);
                send(exchange, 200, "{\"device\":\"%s\",\"generation\":%d}".formatted(device.device(), device.generation()));
            } catch (Tegata.Refused refused) {
                refused.headers().forEach(exchange.getResponseHeaders()::set);
                send(exchange, refused.status(), refused.body());
            }
        }
    }

    /** The certificate that the connection proved to hold, or null. */
    private static X509Certificate presented(HttpExchange exchange) {
        if (!(exchange instanceof HttpsExchange secure)) {
            return null;
        }
        var session = secure.getSSLSession();
        // A resumed session is not verified again.
        session.invalidate();
        try {
            return (X509Certificate) session.getPeerCertificates()[0];
        } catch (SSLPeerUnverifiedException nobody) {
            return null;
        }
    }

    private static void send(HttpExchange exchange, int status, String body) throws IOException {
        var bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        var bodiless = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, bodiless ? -1 : bytes.length);
        if (!bodiless) {
            exchange.getResponseBody().write(bytes);
        }
    }
}
