import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON (RFC 8259), which the JDK does not read: maps, lists, strings, doubles, booleans and null. */
final class Json {
    private static final int DEEPEST = 16;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** IllegalArgumentException where it is no JSON, or names a member twice. */
    static Object parse(String text) {
        var json = new Json(text);
        var value = json.value(0);
        json.space();
        if (json.at != text.length()) {
            throw json.bad();
        }
        return value;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        if (value instanceof Map<?, ?> map) {
            return (Map<String, Object>) map;
        }
        throw new IllegalArgumentException("no JSON object");
    }

    private Object value(int depth) {
        if (depth > DEEPEST) {
            throw bad();
        }
        space();
        return switch (peek()) {
            case '{' -> object(depth);
            case '[' -> list(depth);
            case '"' -> string();
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            case 'n' -> word("null", null);
            default -> number();
        };
    }

    private Map<String, Object> object(int depth) {
        var map = new LinkedHashMap<String, Object>();
        at++;
        for (space(); peek() != '}'; space()) {
            if (!map.isEmpty()) {
                expect(',');
                space();
            }
            var name = string();
            space();
            expect(':');
            if (map.containsKey(name)) {
                throw bad();
            }
            map.put(name, value(depth + 1));
        }
        at++;
        return map;
    }

    private List<Object> list(int depth) {
        var list = new ArrayList<>();
        at++;
        for (space(); peek() != ']'; space()) {
            if (!list.isEmpty()) {
                expect(',');
            }
            list.add(value(depth + 1));
        }
        at++;
        return list;
    }

    private String string() {
        expect('"');
        var said = new StringBuilder();
        for (var next = take(); next != '"'; next = take()) {
            if (next < ' ') {
                throw bad();
            }
            said.append(next == '\\' ? escaped() : next);
        }
        return said.toString();
    }

    private char escaped() {
        var next = take();
        return switch (next) {
            case '"', '\\', '/' -> next;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> (char) Integer.parseInt("" + hex() + hex() + hex() + hex(), 16);
            default -> throw bad();
        };
    }

    private char hex() {
        var next = take();
        if ("0123456789abcdefABCDEF".indexOf(next) < 0) {
            throw bad();
        }
        return next;
    }

    private Object word(String word, Object meaning) {
        if (!text.startsWith(word, at)) {
            throw bad();
        }
        at += word.length();
        return meaning;
    }

    private Double number() {
        var from = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        var number = text.substring(from, at);
        if (!number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
            throw bad();
        }
        return Double.valueOf(number);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw bad();
        }
        return text.charAt(at);
    }

    private char take() {
        var next = peek();
        at++;
        return next;
    }

    private void expect(char wanted) {
        if (take() != wanted) {
            throw bad();
        }
    }

    private IllegalArgumentException bad() {
        return new IllegalArgumentException("no JSON at " + at);
    }
}
