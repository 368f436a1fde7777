using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Tests.Unit.LedgerAdapter;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Gateway;

public sealed class PageCursorTests : IDisposable
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    private const string List = "Observation?status=final&_count=2";
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly PageCursor _cursors;

    public PageCursorTests() => _cursors = new PageCursor(Keyring.Create(_folder["keyring.json"]), _time);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(long.MaxValue)]
    public void A_cursor_opens_to_what_it_was_made_of_and_is_as_long_and_each_time_another(long position)
    {
        var (first, second) = (Cursor(position), Cursor(position));
        Assert.NotEqual(first, second);
        Assert.All([first, second], cursor =>
        {
            Assert.Equal(59, cursor.Length);
            Assert.Equal(position, Open(cursor).Value);
        });
    }

    [Fact]
    public void A_request_without_a_cursor_begins_at_the_first_page() => Assert.Equal(0, Open(null).Value);

    [Fact]
    public void It_opens_for_an_hour_over_midnight_too_and_then_no_more()
    {
        // Half an hour before a day ends, whose key is not that of the next.
        _time.Now = _time.Now.Date.AddHours(23.5).ToUniversalTime();
        var cursor = Cursor(7);
        _time.Now += TimeSpan.FromHours(1);
        Assert.Equal(7, Open(cursor).Value);
        _time.Now += TimeSpan.FromMilliseconds(1);
        AssertRefused(Open(cursor));
        _time.Now += TimeSpan.FromDays(2);
        AssertRefused(Open(cursor));
    }

    [Fact]
    public void Another_gateway_on_the_keyring_takes_it_though_its_clock_is_behind_and_one_on_another_keyring_does_not()
    {
        _time.Now = _time.Now.Date.AddMinutes(1).ToUniversalTime();
        var cursor = Cursor(7);
        var behind = new ManualTime { Now = _time.Now - TimeSpan.FromMinutes(4) };
        Assert.Equal(7, new PageCursor(Keyring.Open(_folder["keyring.json"]), behind).Open(Who(), List, cursor).Value);
        AssertRefused(new PageCursor(Keyring.Create(_folder["other.json"]), _time).Open(Who(), List, cursor));
    }

    [Fact]
    public void A_list_without_parameters_is_the_same_with_a_count_alone() =>
        Assert.Equal(7, Open(_cursors.Next(Who(), "Patient/p/_history?_count=1", 7)[^59..], "Patient/p/_history").Value);

    [Theory]
    [InlineData("Observation?status=final&_count=50")]
    [InlineData("Observation?_count=2&status=final")]
    public void Of_the_same_list_a_page_may_be_longer(string list) => Assert.Equal(7, Open(Cursor(7), list).Value);

    [Theory]
    [InlineData("Observation?status=final&status=amended")]
    [InlineData("Observation")]
    [InlineData("Observation?")]
    [InlineData("Condition?status=final")]
    [InlineData("Observation?status=finals")]
    [InlineData("Observation/status=final")]
    public void That_of_another_list_is_refused(string list) => AssertRefused(Open(Cursor(7), list));

    [Fact]
    public void Another_callers_is_refused_whatever_tells_them_apart()
    {
        var cursor = Cursor(7);
        Assert.Equal(7, _cursors.Open(Who("s", "a", "TREAT", "HPAYMT"), List, cursor).Value);
        AssertRefused(_cursors.Open(Who("t", "a", "HPAYMT", "TREAT"), List, cursor));
        AssertRefused(_cursors.Open(Who("s", "b", "HPAYMT", "TREAT"), List, cursor));
        AssertRefused(_cursors.Open(Who("s", "a", "TREAT"), List, cursor));
        AssertRefused(_cursors.Open(Who("s", "", "a", "HPAYMT", "TREAT"), List, cursor));
    }

    [Fact]
    public void One_with_any_character_changed_is_refused_with_one_answer()
    {
        var cursor = Cursor(7);
        for (var i = 0; i < cursor.Length; i++)
            // By one bit: at the end, one that no byte has.
            AssertRefused(Open(cursor[..i] + Alphabet[Alphabet.IndexOf(cursor[i], StringComparison.Ordinal) ^ 1] + cursor[(i + 1)..]));
        string[] others = ["", "x", "-1", "12", cursor[1..], new string('A', 59), new string('A', 999)];
        foreach (var wrong in others.Concat([cursor + "=", cursor + "A", cursor + "\n", " " + cursor])) AssertRefused(Open(wrong));
    }

    private static Caller Who(string subject = "s", string author = "a", params string[] purposes) => Caller.Nobody with
    {
        Requester = new Requester(subject, null, null, null, true, purposes.Length > 0 ? purposes : ["HPAYMT", "TREAT"])
        {
            Author = author,
        },
    };

    private string Cursor(long position)
    {
        var next = _cursors.Next(Who(), List, position);
        Assert.StartsWith(List + "&_cursor=", next);
        return next[(List.Length + 9)..];
    }

    private Result<long> Open(string? cursor, string list = List) => _cursors.Open(Who(), list, cursor);

    private static void AssertRefused(Result<long> result)
    {
        Assert.Equal(OutcomeCategory.Malformed, result.Failure?.Category);
        Assert.Equal("'_cursor' is not that of a next link which this list gave you within the last hour", result.Failure!.Issues[0].Text);
    }
}
