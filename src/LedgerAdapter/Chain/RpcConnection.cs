using System.Net.Http.Headers;
using System.Text;
using Nethereum.JsonRpc.Client;
using Nethereum.JsonRpc.Client.RpcMessages;
using Newtonsoft.Json;
using NethereumError = Nethereum.JsonRpc.Client.RpcMessages.RpcError;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Nethereum's client for the span of one cancellation: its methods take no token, so each question gets a connection that has one. It
/// bounds what it reads, and holds each answer against the id of its question.
/// </summary>
/// <param name="http">The node: its base address.</param>
/// <param name="cancellation">Stops what is asked through this connection.</param>
internal sealed class RpcConnection(HttpClient http, CancellationToken cancellation) : ClientBase
{
    /// <summary>What is read of one answer, at most.</summary>
    public const int MaxAnswer = 16 << 20;

    private static readonly JsonSerializer Json = JsonSerializer.Create(
        DefaultJsonSerializerSettingsFactory.BuildDefaultJsonSerializerSettings());
    private static long _lastId;

    /// <summary>An id that no other request of this process has.</summary>
    public static long NextId() => Interlocked.Increment(ref _lastId);

    /// <inheritdoc/>
    public override async Task<RpcResponseMessage> SendAsync(RpcRequestMessage rpcRequestMessage, string? route = null)
    {
        var id = NextId();
        rpcRequestMessage.Id = id;
        var answer = await PostAsync<RpcResponseMessage>(rpcRequestMessage, rpcRequestMessage.Method);
        if (answer.Error is { } error) throw Refusal(rpcRequestMessage.Method, error);
        return IdOf(answer) == id
            ? answer
            : throw new RpcUnavailableException($"the node answered another call than {rpcRequestMessage.Method}");
    }

    /// <inheritdoc/>
    protected override async Task<RpcResponseMessage[]> SendAsync(RpcRequestMessage[] requests)
    {
        var answers = await PostAsync<RpcResponseMessage[]>(requests, requests[0].Method);
        var asked = requests.Select(r => Convert.ToInt64(r.Id, System.Globalization.CultureInfo.InvariantCulture)).ToHashSet();
        return answers.Length == requests.Length && asked.SetEquals(answers.Select(IdOf))
            ? answers
            : throw new RpcUnavailableException($"the node did not answer each of {requests.Length} calls of {requests[0].Method}");
    }

    /// <summary>A node's refusal as ours.</summary>
    public static RpcException Refusal(string method, NethereumError error) =>
        new(method, error.Code, error.Message ?? "", error.Data as string ?? "");

    private static long IdOf(RpcResponseMessage answer) => answer.Id is long or int ? Convert.ToInt64(answer.Id, null) : -1;

    private async Task<T> PostAsync<T>(object request, string method)
        where T : class
    {
        var body = new StringBuilder();
        using (var text = new StringWriter(body, System.Globalization.CultureInfo.InvariantCulture)) Json.Serialize(text, request);
        try
        {
            using var content = new StringContent(body.ToString(), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
            using var message = new HttpRequestMessage(HttpMethod.Post, "") { Content = content };
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation);
            using var read = new JsonTextReader(new StreamReader(await ReadAsync(response, method), Encoding.UTF8));
            return Json.Deserialize<T>(read) ?? throw new RpcUnavailableException($"the node answered {method} with nothing");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException || IsTimeout(e))
        {
            throw new RpcUnavailableException($"the Ethereum node at {http.BaseAddress} cannot be reached ({method})", e);
        }
    }

    private bool IsTimeout(Exception e) => e is OperationCanceledException && !cancellation.IsCancellationRequested;

    private async Task<MemoryStream> ReadAsync(HttpResponseMessage response, string method)
    {
        var all = new MemoryStream();
        var buffer = new byte[81920];
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        while (await body.ReadAsync(buffer, cancellation) is > 0 and var count)
        {
            if (all.Length + count > MaxAnswer) throw new RpcException(method, 0, $"the answer is larger than {MaxAnswer} bytes");
            all.Write(buffer, 0, count);
        }
        all.Position = 0;
        return all;
    }
}
