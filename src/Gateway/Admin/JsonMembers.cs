using System.Text.Json;

namespace PmrGateway.Gateway.Admin;

/// <summary>The members of a JSON text.</summary>
internal static class JsonMembers
{
    /// <summary>
    /// A member that an object has twice, in whatever case since members are read in any; null: there is none. Of two, one reader takes the
    /// first and another the last.
    /// </summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static string? Repeated(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var open = new Stack<HashSet<string>>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    open.Push(new HashSet<string>(StringComparer.OrdinalIgnoreCase));
                    break;
                case JsonTokenType.EndObject:
                    open.Pop();
                    break;
                case JsonTokenType.PropertyName when !open.Peek().Add(reader.GetString()!):
                    return reader.GetString();
            }
        }
        return null;
    }
}
