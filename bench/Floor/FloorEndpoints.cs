using System.Buffers;
using System.Globalization;
using System.Text;

namespace PmrGateway.Bench.Floor;

/// <summary>The FHIR interactions that the bench asks for, as bytes in and bytes out.</summary>
internal sealed class FloorEndpoints(ByteStore store, TimeProvider time)
{
    private const string FhirJson = "application/fhir+json";
    private const int CompartmentLimit = 1000;

    public Task ReadAsync(HttpContext context)
    {
        if (store.Find(Route(context, "type"), Route(context, "id")) is { } json)
        {
            context.Response.Headers.ETag = "W/\"1\"";
            return WriteAsync(context.Response, json);
        }
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    public Task SearchAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var count = int.TryParse(query["_count"], CultureInfo.InvariantCulture, out var asked) ? asked : 50;
        return WriteBundleAsync(context.Response, store.OfPatient(query["patient"].ToString(), Route(context, "type"), count));
    }

    public Task EverythingAsync(HttpContext context)
    {
        var id = Route(context, "id");
        var found = store.OfPatient(id, null, CompartmentLimit);
        if (store.Find("Patient", id) is { } patient) found.Insert(0, patient);
        return WriteBundleAsync(context.Response, found);
    }

    public async Task CreateAsync(HttpContext context)
    {
        var body = await BodyAsync(context.Request);
        var stamped = ResourceStamp.Apply(body, Route(context, "type"), ResourceStamp.NewId(), time.GetUtcNow());
        await store.AddAsync([stamped]);
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.Headers.Location = $"/fhir/{stamped.Type}/{stamped.Id}/_history/1";
        await WriteAsync(context.Response, stamped.Json);
    }

    public async Task TransactionAsync(HttpContext context)
    {
        var resources = TransactionReader.Read(await BodyAsync(context.Request), time.GetUtcNow());
        await store.AddAsync(resources);
        var response = new StringBuilder("{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\",\"entry\":[");
        for (var i = 0; i < resources.Count; i++)
        {
            if (i > 0) response.Append(',');
            response.Append($"{{\"response\":{{\"status\":\"201\",\"location\":\"{resources[i].Type}/{resources[i].Id}/_history/1\"}}}}");
        }
        await WriteAsync(context.Response, Encoding.UTF8.GetBytes(response.Append("]}").ToString()));
    }

    private static string Route(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    private static async Task<byte[]> BodyAsync(HttpRequest request)
    {
        var body = new byte[request.ContentLength ?? throw new BadHttpRequestException("send a Content-Length")];
        await request.Body.ReadExactlyAsync(body, request.HttpContext.RequestAborted);
        return body;
    }

    private static Task WriteAsync(HttpResponse response, byte[] json)
    {
        response.ContentType = FhirJson;
        response.ContentLength = json.Length;
        return response.Body.WriteAsync(json).AsTask();
    }

    private static async Task WriteBundleAsync(HttpResponse response, List<byte[]> resources)
    {
        response.ContentType = FhirJson;
        var body = response.BodyWriter;
        body.Write("{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":["u8);
        for (var i = 0; i < resources.Count; i++)
        {
            body.Write(i == 0 ? "{\"resource\":"u8 : ",{\"resource\":"u8);
            body.Write(resources[i]);
            body.Write("}"u8);
        }
        body.Write("]}"u8);
        await body.FlushAsync();
    }
}
